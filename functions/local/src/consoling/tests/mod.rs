//! The console and the issuer over HTTP, with requests as a relay stores them.

mod attacks;
mod browser;
mod bundled;
mod decisions;
mod looks;
mod program;
mod scene;
