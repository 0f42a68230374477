/** The smallest number of `n` voters that any two of which sets overlap: Raft's quorum (Raft §5.2). */
export const majority = (n: number): number => Math.floor(n / 2) + 1;
