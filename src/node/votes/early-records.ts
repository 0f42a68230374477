import type { MemberIndex } from '../../byzantine/epoch.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import type { FrameRecord } from '../../byzantine/records.ts';

/** Records that are kept at most; each member has its share, so that one that floods pushes out nothing. */
const maxEarly = 4096;
/** How long records wait for their proposal, and how often it is asked for. */
const earlyMs = 5000;
const askEveryMs = 200;

/** What a member says within one vote. */
export type VoteWord = Exclude<FrameRecord, { readonly type: 'proposal' | 'certificate' | 'get' | 'blob' | 'policy' }>;

interface Early {
  readonly records: { readonly from: MemberIndex; readonly record: VoteWord }[];
  readonly sinceMs: number;
  askedMs: number;
}

/** What came of votes before their proposals did. The proposal is most likely on its way from its proposer; when it still isn't here after a moment it is asked for. */
export class EarlyRecords {
  readonly #votes = new Map<ProposalId, Early>();
  /** Records by sender. */
  readonly #counts: number[];

  constructor(members: number) {
    this.#counts = Array.from({ length: members }, () => 0);
  }

  has(id: ProposalId): boolean {
    return this.#votes.has(id);
  }

  add(from: MemberIndex, id: ProposalId, record: VoteWord, nowMs: number): void {
    const count = this.#counts[from] ?? 0;
    if (count >= maxEarly / this.#counts.length) return;
    this.#counts[from] = count + 1;
    const waiting = this.#votes.get(id);
    if (waiting === undefined) this.#votes.set(id, { records: [{ from, record }], sinceMs: nowMs, askedMs: nowMs });
    else waiting.records.push({ from, record });
  }

  take(id: ProposalId): Early['records'] {
    const early = this.#votes.get(id);
    if (early === undefined) return [];
    this.#votes.delete(id);
    for (const { from } of early.records) this.#counts[from] = (this.#counts[from] ?? 0) - 1;
    return early.records;
  }

  /** Asks those who speak of a vote for its proposal. */
  tick(nowMs: number, ask: (members: ReadonlySet<MemberIndex>, id: ProposalId) => void): void {
    for (const [id, early] of this.#votes) {
      if (nowMs - early.sinceMs > earlyMs) this.take(id);
      if (nowMs - early.askedMs < askEveryMs) continue;
      early.askedMs = nowMs;
      ask(new Set(early.records.map(({ from }) => from)), id);
    }
  }
}
