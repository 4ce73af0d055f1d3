EXPLAIN (VERBOSE) SELECT email FROM clinic.contacts /* c */ -- d
