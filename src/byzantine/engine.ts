import { Agreement } from './agreement.ts';
import type { Ballot, Expiry, SignedBallot, SignedExpiry } from './ballot.ts';
import type { Verdict } from './ballot-box.ts';
import { BallotBox, ignored, rejected, taken } from './ballot-box.ts';
import type { MemberIndex } from './epoch.ts';
import type { Evidence } from './evidence.ts';
import type { ByzantineMessage, Outgoing, StatementMessage } from './messages.ts';
import type { Motion } from './motion.ts';
import { bitmapOf, hasBit, isBallotFor, isBitmap, isWithin } from './motion.ts';
import type { Notary } from './notary.ts';
import type { Peer } from './peers.ts';
import { Peers } from './peers.ts';
import type { Memory, Ready } from './ready.ts';
import type { Statement } from './statement.ts';
import { contradictionIn, firstStatement, isNewer, regressionOf, valuesOf } from './statement.ts';
import { Timers } from './timers.ts';
import type { Value, Witness } from './witness.ts';
import { Witnesses } from './witnesses.ts';

/** Of the time of a view: what was said is said again when there is no answer by then, before anybody gives the view up. */
const reminderShare = 2 / 3;

export interface EngineOptions {
  readonly motion: Motion;
  readonly self: MemberIndex;
  /** This start of the node, counted durably from 1. */
  readonly boot: number;
  readonly notary: Notary;
  /** How long this member waits for ballots. */
  readonly timeoutMs: number;
  /** How long view 0 may take: 9 times what a message and the write before it take at p99, and at least 150. */
  readonly viewMs: () => number;
  /** What was saved before a restart, if only that the proposal is known (`emptyMemory`): then the others are asked what they have said. */
  readonly memory?: Memory;
}

/**
 * One instance of a Byzantine vote on one member: gathers ballots, makes the outcome of them, and agrees on it with the other members. Up to F of them may lie.
 *
 * It never says what it would not say again after a restart: what is to be saved comes in the same `Ready` as the messages that wait for it. Its memory is
 * bounded: per member the newest statement, two ballots, two expiries and one witness, and `maxWitnesses` more.
 *
 * Times are milliseconds of any clock that never goes back.
 */
export class Engine {
  readonly #motion: Motion;
  readonly #self: MemberIndex;
  readonly #box: BallotBox;
  readonly #witnesses: Witnesses;
  readonly #agreement: Agreement;
  readonly #peers: Peers;
  readonly #timers: Timers;
  #ballot: SignedBallot | undefined;
  #expiry: SignedExpiry | undefined;
  #hasCast = false;
  /** The time for ballots was up in this life. */
  #isOver = false;
  /** What this member lets expire, signed or about to be. */
  #expiring: Uint8Array | undefined;
  #toSign: (Ballot | Expiry)[] = [];
  #messages: Outgoing[] = [];
  #evidence: Evidence[] = [];
  /** As it was last broadcast. */
  #said: Statement;
  #mustSave = false;
  #hasReported = false;
  #hasStopped = false;

  constructor({ motion, self, boot, notary, timeoutMs, viewMs, memory }: EngineOptions, nowMs: number) {
    const { n, proposal } = motion;
    this.#motion = motion;
    this.#self = self;
    this.#box = new BallotBox(motion, notary);
    this.#witnesses = new Witnesses(motion, notary, this.#box, memory?.witnesses ?? []);
    this.#said = { ...(memory?.statement ?? firstStatement(boot)), boot };
    const firstLeader = Number.parseInt(proposal.slice(0, 8), 16);
    this.#agreement = new Agreement({ n, self, firstLeader, statement: this.#said, candidates: this.#witnesses });
    this.#peers = new Peers(n, self, () => viewMs() * reminderShare);
    this.#timers = new Timers(nowMs + timeoutMs, viewMs);
    if (memory !== undefined) this.#resume(memory, nowMs);
    this.#settle(nowMs);
  }

  get statement(): Statement {
    return this.#agreement.own;
  }

  /** The choices of each member whose ballot is here, by its index; undefined for the others. */
  get ballots(): readonly (Ballot | undefined)[] {
    return Array.from({ length: this.#motion.n }, (_, voter) => this.#box.ballotOf(voter)?.ballot);
  }

  /** When `tick` has something to do; infinity when it hasn't. */
  get wakeAtMs(): number {
    return this.#hasStopped ? Number.POSITIVE_INFINITY : Math.min(this.#timers.wakeAtMs, this.#peers.wakeAtMs);
  }

  /** Gives this member's opinion, one choice an item. False when it has given one before or this is none. */
  cast(choices: Uint8Array): boolean {
    const ballot: Ballot = { proposal: this.#motion.proposal, voter: this.#self, choices };
    if (this.#hasCast || !isBallotFor(this.#motion, ballot)) return false;
    this.#hasCast = true;
    this.#toSign.push(ballot);
    return true;
  }

  /** Takes back what was handed out to be signed. */
  signed(signed: SignedBallot | SignedExpiry, nowMs: number): void {
    if ('ballot' in signed) {
      if (this.#ballot !== undefined) return;
      this.#ballot = signed;
      this.#box.addBallot(signed, 'checked');
      this.#broadcast({ type: 'ballot', ballot: signed });
    } else {
      if (this.#expiry !== undefined && !isWithin(this.#expiry.expiry.items, signed.expiry.items)) return;
      this.#expiry = signed;
      this.#box.addExpiry(signed, 'checked');
      this.#broadcast({ type: 'expiry', expiry: signed });
    }
    this.#mustSave = true;
    for (const [, peer] of this.#peers) peer.arm(nowMs);
    this.#settle(nowMs);
  }

  /** Takes what another member sent, which has been authenticated as its. */
  step(from: MemberIndex, message: ByzantineMessage, nowMs: number): Verdict {
    const peer = this.#peers.get(from);
    if (this.#hasStopped || peer === undefined) return ignored;
    const verdict = this.#take(from, peer, message, nowMs);
    if (verdict.type === 'taken') this.#settle(nowMs);
    return verdict;
  }

  tick(nowMs: number): void {
    if (this.#hasStopped) return;
    const due = this.#timers.due(nowMs);
    if (due.deadline) this.#isOver = true;
    if (due.view) this.#agreement.timeOut();
    this.#settle(nowMs);
    for (const [member, peer] of this.#peers) if (peer.remindAtMs <= nowMs) this.#remind(member, peer, nowMs);
  }

  /** A link to the member is there again: the next tick, due now, sends what it lacks. */
  reconnected(member: MemberIndex, nowMs: number): void {
    this.#peers.get(member)?.hurry(nowMs);
  }

  /** What there is to do; undefined when there is nothing. */
  takeReady(): Ready | undefined {
    const decided = this.#hasReported ? undefined : this.#witnesses.of(this.statement.decided);
    if (decided !== undefined) this.#hasReported = true;
    const breach = this.#hasStopped ? undefined : this.#agreement.breach;
    if (breach !== undefined) this.#hasStopped = true;
    for (const [member, peer] of this.#peers) this.#tell(member, peer);
    const evidence = this.#box.hasEvidence ? [...this.#evidence, ...this.#box.takeEvidence()] : this.#evidence;
    const [toSign, messages] = [this.#toSign, this.#messages];
    const isEmpty = toSign.length + messages.length + evidence.length === 0 && !this.#mustSave;
    if (isEmpty && decided === undefined && breach === undefined) return undefined;
    const save = this.#mustSave ? this.#memory() : undefined;
    this.#toSign = [];
    this.#messages = [];
    this.#evidence = [];
    this.#mustSave = false;
    return { toSign, save, messages, decided, evidence, breach };
  }

  #resume({ ballot, expiry }: Memory, nowMs: number): void {
    this.#ballot = ballot;
    this.#expiry = expiry;
    this.#expiring = expiry?.expiry.items;
    this.#hasCast = ballot !== undefined;
    if (ballot !== undefined) this.#box.addBallot(ballot, 'checked');
    if (expiry !== undefined) this.#box.addExpiry(expiry, 'checked');
    // What was said before may have been lost on the way, and what was heard is forgotten.
    for (const [, peer] of this.#peers) peer.hurry(nowMs);
  }

  #memory(): Memory {
    return { statement: this.statement, ballot: this.#ballot, expiry: this.#expiry, witnesses: this.#witnesses.kept };
  }

  #take(from: MemberIndex, peer: Peer, message: ByzantineMessage, nowMs: number): Verdict {
    switch (message.type) {
      case 'statement':
        return this.#takeStatement(from, peer, message, nowMs);
      case 'ballot':
        return this.#box.addBallot(message.ballot);
      case 'expiry':
        return this.#box.addExpiry(message.expiry);
      case 'witness':
        return this.#takeWitness(from, message.witness);
      case 'want': {
        const witness = this.#witnesses.of(message.value);
        if (witness === undefined || !peer.mayAnswer(nowMs)) return ignored;
        this.#messages.push({ to: from, message: { type: 'witness', witness } });
        return taken;
      }
    }
  }

  #takeWitness(from: MemberIndex, witness: Witness): Verdict {
    const verdict = this.#witnesses.offer(from, witness);
    if (verdict.type === 'taken' && this.#witnesses.keep(this.statement)) this.#mustSave = true;
    return verdict;
  }

  #takeStatement(from: MemberIndex, peer: Peer, message: StatementMessage, nowMs: number): Verdict {
    const { statement, ballots, expiries, asks } = message;
    if (!isBitmap(ballots, this.#motion.n) || !isBitmap(expiries, this.#motion.n)) return rejected('malformed bitmap');
    const why = contradictionIn(statement, this.#agreement.leaderOf(statement.view) === from);
    if (why !== undefined) return rejected(`malformed statement: ${why}`);
    const before = this.#agreement.statementOf(from);
    // Overtaken on the way by a newer one.
    if (before !== undefined && isNewer(before, statement)) return ignored;
    peer.heard(message);
    if (asks && peer.telling === 'nothing' && peer.mayAnswer(nowMs)) peer.telling = 'statement';
    if (this.#isOwed(from, peer)) peer.armIfIdle(nowMs);
    if (!isNewer(statement, before)) return ignored;
    const lie = before && !peer.hasLied ? regressionOf(before, statement) : undefined;
    if (before !== undefined && lie !== undefined) {
      peer.hasLied = true;
      const { proposal } = this.#motion;
      this.#evidence.push({ kind: 'equivocation_mac', proposal, member: from, before, after: statement, why: lie });
    }
    this.#agreement.receive(from, statement);
    return taken;
  }

  /** Brings everything to rest after a change: the rules, the timers, and what others must hear. */
  #settle(nowMs: number): void {
    const before = this.#said;
    this.#agreement.settle();
    const now = this.statement;
    if (now !== before) {
      this.#said = now;
      this.#mustSave = true;
      this.#witnesses.keep(now);
      const hasOutcome = now.decided !== undefined || this.#box.conclusive !== undefined || this.#box.afterExpiry !== undefined;
      if (now.view > before.view && !hasOutcome) this.#shareAll();
      const proposed = now.proposed === before.proposed ? undefined : this.#witnesses.of(now.proposed);
      if (proposed !== undefined) this.#broadcast({ type: 'witness', witness: proposed });
      for (const [, peer] of this.#peers) {
        if (peer.telling === 'nothing') peer.telling = 'statement';
        peer.arm(nowMs);
      }
    }
    this.#timers.follow(now, nowMs);
    if (this.#isOver) this.#expire();
    this.#askForWitness(nowMs);
  }

  #broadcast(message: ByzantineMessage): void {
    for (const [to] of this.#peers) this.#messages.push({ to, message });
  }

  /** The newest statement only, however many there were since the last `Ready`. */
  #tell(to: MemberIndex, peer: Peer): void {
    if (peer.telling === 'nothing') return;
    const seen = this.#agreement.statementOf(to);
    const message: StatementMessage = {
      type: 'statement',
      statement: this.statement,
      seen: seen && { boot: seen.boot, revision: seen.revision },
      ballots: this.#box.ballotBits,
      expiries: this.#box.expiryBits,
      asks: peer.telling === 'question',
    };
    peer.telling = 'nothing';
    this.#messages.push({ to, message });
  }

  /** Asks those who speak of a value for the witness without which this member can't go on: each once, and again with reminders. */
  #askForWitness(nowMs: number): void {
    const value = this.#missing();
    for (const [to, peer] of this.#peers) {
      const statement = value === undefined || peer.asked === value ? undefined : this.#agreement.statementOf(to);
      if (value === undefined) peer.asked = undefined;
      else if (statement !== undefined && valuesOf(statement).has(value)) {
        peer.asked = value;
        peer.armIfIdle(nowMs);
        this.#messages.push({ to, message: { type: 'want', value } });
      }
    }
  }

  /** The value whose witness is needed most. */
  #missing(): Value | undefined {
    const { decided, current, view, proposed, frozen } = this.statement;
    const isMissing = (value: Value | undefined): boolean => value !== undefined && !this.#witnesses.isValid(value);
    if (isMissing(decided)) return decided;
    const offered = current[0] === undefined ? this.#agreement.proposal : undefined;
    if (isMissing(offered)) return offered;
    const leads = proposed === undefined && this.#agreement.leaderOf(view) === this.#self;
    const wished = leads ? this.#agreement.wishes().find(isMissing) : undefined;
    if (wished !== undefined) return wished;
    // Voted for on others' word: if it has to be proposed again, all who know why must not have forgotten it.
    return [current[2], frozen[2]?.value].find(isMissing);
  }

  /** Lets the items expire that have no conclusive ballots here; again, with more of them, if ballots that had been conclusive turn out to be a liar's. */
  #expire(): void {
    const { proposal, items } = this.#motion;
    const [open, before] = [this.#box.openItems, this.#expiring];
    const hasNews = open !== undefined && (before === undefined || (this.#box.afterExpiry === undefined && !isWithin(open, before)));
    if (!hasNews || this.statement.decided !== undefined) return;
    this.#expiring = bitmapOf(items, (item) => hasBit(open, item) || (before !== undefined && hasBit(before, item)));
    this.#toSign.push({ proposal, voter: this.#self, items: this.#expiring });
  }

  /** Without an outcome at hand in a later view: perhaps each member lacks what others have, or takes a different one of a liar's ballots for the only one. */
  #shareAll(): void {
    for (const signed of this.#box.contents)
      this.#broadcast('ballot' in signed ? { type: 'ballot', ballot: signed } : { type: 'expiry', expiry: signed });
  }

  /** Sends the peer what it hasn't shown to have, and asks again for what it hasn't sent. */
  #remind(to: MemberIndex, peer: Peer, nowMs: number): void {
    const isOwed = this.#isOwed(to, peer);
    if (!isOwed && peer.asked === undefined) {
      peer.remindAtMs = Number.POSITIVE_INFINITY;
      return;
    }
    peer.reminded(nowMs);
    if (isOwed) {
      this.#messages.push(...this.#lackedBy(to, peer).map((message) => ({ to, message })));
      peer.telling = 'question';
    }
    peer.asked = undefined;
    this.#askForWitness(nowMs);
  }

  #isOwed(member: MemberIndex, peer: Peer): boolean {
    if (peer.mustAsk) return true;
    if (this.#agreement.statementOf(member)?.decided !== undefined) return false;
    const { boot, revision, view, viewChange, decided } = this.statement;
    // No timer runs for who has given its view up, and who has ended the vote says nothing of it unasked.
    if (viewChange > view && decided === undefined) return true;
    return (revision > 0 && isNewer({ boot, revision }, peer.seen)) || this.#lackedBy(member, peer).length > 0;
  }

  /** Ballots and expiries that the peer hasn't shown to have; of one that is silent, only this member's own. */
  #lackedBy(member: MemberIndex, peer: Peer): ByzantineMessage[] {
    const isSilent = this.#agreement.statementOf(member) === undefined;
    const lacked: ByzantineMessage[] = [];
    for (let voter = 0; voter < this.#motion.n; voter++) {
      if (isSilent && voter !== this.#self) continue;
      const ballot = peer.hasBallotOf(voter) ? undefined : this.#box.ballotOf(voter);
      const expiry = peer.hasExpiryOf(voter) ? undefined : this.#box.expiryOf(voter);
      if (ballot !== undefined) lacked.push({ type: 'ballot', ballot });
      if (expiry !== undefined) lacked.push({ type: 'expiry', expiry });
    }
    return lacked;
  }
}
