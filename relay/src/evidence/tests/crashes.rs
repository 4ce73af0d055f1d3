//! A relay that dies, at every point where it leaves a trace.
