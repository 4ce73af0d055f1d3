// An OpenID Connect provider, npm's `oidc-provider`, with the people of the demo: TLS, on 127.0.0.1 alone, nothing kept.
//
//   node provider.mjs FOLDER CERTIFICATE KEY CONSOLE
//
// FOLDER is where npm installed it, CONSOLE the console's address. Prints the issuer's URL; ends when standard input does.
// Its own login page asks for a name and a password, and takes any password.

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, certificate, key, consoleUrl] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(createRequire(`${folder}/`).resolve('oidc-provider')));

const PEOPLE = {
  alice: { name: 'Alice Analyst', groups: ['engineers'] },
  bob: { name: 'Bob Boss', groups: ['approvers'] },
  carol: { name: 'Carol Frontdesk', groups: ['clinicians'] },
};

// Of a native program: any port of this machine will do (RFC 8252, section 7.3).
const client = (client_id, ...redirect_uris) => ({
  client_id,
  redirect_uris: ['http://127.0.0.1/callback', ...redirect_uris],
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code'],
  response_types: ['code'],
});

const server = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `https://127.0.0.1:${server.address().port}`;

// API Gateway takes RSA keys alone.
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(issuer, {
  clients: [client('affidavit'), client('affidavit-console', `${consoleUrl}/callback`)],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'of-this-run' }] },
  cookies: { keys: ['of-no-worth'] },
  // Into the ID token itself, for nobody asks the userinfo endpoint.
  conformIdTokenClaims: false,
  claims: { openid: ['sub', 'groups'], profile: ['name'] },
  findAccount: (_, sub) => PEOPLE[sub] && { accountId: sub, claims: () => ({ sub, ...PEOPLE[sub] }) },
});
server.on('request', provider.callback());

process.stdout.write(`${issuer}\n`);
process.stdin.resume().on('end', () => process.exit(0));
