/** Members that may lie: F = floor((N-1)/3). They are counted by who operates them, not by process. */
export const faultTolerance = (n: number): number => Math.floor((n - 1) / 3);

/** The smallest size of which any two sets share F+1 members, so an honest one: ceil((N+F+1)/2), which is 2F+1 at N = 3F+1. N-F honest ones suffice for it. */
export const byzantineQuorum = (n: number): number => Math.ceil((n + faultTolerance(n) + 1) / 2);

/** B = F+1: any set of this size has an honest member. */
export const honestPart = (n: number): number => faultTolerance(n) + 1;

/** How many of N members it takes. */
export interface GroupSizes {
  readonly n: number;
  readonly quorum: number;
  readonly honestPart: number;
}

export const groupSizes = (n: number): GroupSizes => ({ n, quorum: byzantineQuorum(n), honestPart: honestPart(n) });
