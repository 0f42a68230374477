/** Time as a driver hands it to a core's host. Cores themselves count ticks or take a time as an argument. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. For leases and timers. */
  monotonicMs(): number;
  /** Milliseconds since 1970 by the wall clock; may jump. Only to stamp commands. */
  unixMs(): number;
}
