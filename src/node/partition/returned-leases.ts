import type { LogIndex, TaskId } from '../../core/ids.ts';
import { type HealPart, maxListed } from '../../partition/heal/heal-report.ts';
import type { Lease } from '../../partition/heal/summary.ts';

/** More leases are not compared: their agents learn of an old fence when they next use it. */
const maxCompared = 16_384;

/** How a task stands by the log. */
export interface Hold {
  /** Of its newest assignment. */
  readonly fence: number;
  /** Undefined when nobody holds it. */
  readonly agent: string | undefined;
  readonly hasEnded: boolean;
}

/**
 * What the agents of returning nodes held when they were cut off, compared with the log (H5): once all is applied here that was committed when they came back, for
 * before that the log may not say yet that somebody else has the task. The log has decided; this only tells.
 */
export class ReturnedLeases {
  /** By task: of a node that returns twice the last word counts. `from`: what must be applied before. */
  readonly #reported = new Map<TaskId, { readonly fence: number; readonly from: LogIndex }>();

  add(leases: readonly Lease[], from: LogIndex): void {
    for (const { task, fence } of leases) {
      if (this.#reported.size >= maxCompared && !this.#reported.has(task)) return;
      this.#reported.set(task, { fence, from });
    }
  }

  clear(): void {
    this.#reported.clear();
  }

  /** Leases that can't be compared yet. */
  pending(appliedIndex: LogIndex): number {
    let count = 0;
    for (const { from } of this.#reported.values()) if (from > appliedIndex) count++;
    return count;
  }

  /** A task that ended under the fence in question was neither kept nor taken away. */
  compared(hold: (task: TaskId) => Hold | undefined): Pick<HealPart['tasks'], 'kept' | 'fenced'> {
    let kept = 0;
    const fenced: HealPart['tasks']['fenced'][number][] = [];
    for (const [task, { fence: oldFence }] of this.#reported) {
      const now = hold(task);
      if (now === undefined || (now.fence === oldFence && now.hasEnded)) continue;
      if (now.fence === oldFence && now.agent !== undefined) kept++;
      else if (fenced.length < maxListed)
        fenced.push({ task, agent: now.agent ?? '', oldFence, newFence: now.fence === oldFence ? 0 : now.fence });
    }
    return { kept, fenced };
  }
}
