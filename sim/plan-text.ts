import { type Action, calmPlan, maxNodes, type Plan, type Step, type Target } from './plan.ts';

/** The text is not a scenario; the message names the line and what was expected there. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

const maxSteps = 100_000;
/** Actions of which nothing is said but whom they are about. */
const plainKinds = ['crash', 'lose', 'members', 'transfer', 'skew', 'flip', 'rewrite', 'pause', 'fail', 'lie'] as const;

/**
 * Reads a scenario: header lines (`title`, `nodes`, `seconds`, `network`, `disk`, `storage`, `clients`, `snapshot`, `append`, `reads`, `mixed settings`), then steps (`at 2s for 3s split n1 n2 | others`, or `every 6s for 3s …`).
 * `#` begins a comment. The whole language is described in docs/simulator.md.
 *
 * @throws ScenarioError
 */
export function parsePlan(text: string): Plan {
  let plan: Plan = { ...calmPlan, founders: maxNodes };
  const steps: Step[] = [];
  for (const [number, line] of text.split('\n').entries()) {
    const words = line.replace(/#.*/, '').trim().split(/\s+/);
    if (words[0] === '') continue;
    const reader = new LineReader(words, number + 1);
    const word = reader.word();
    if (word === 'at' || word === 'every') steps.push(...readSteps(word, reader, plan.faultyMs, number + 1));
    else plan = { ...plan, ...readHeader(word, reader, line) };
    reader.end();
    if (steps.length > maxSteps) throw new ScenarioError(`line ${number + 1}: more than ${maxSteps} steps`);
  }
  for (const { action } of steps) {
    const unknown = targetsOf(action).find((named) => typeof named === 'number' && named >= plan.nodes);
    if (typeof unknown === 'number') throw new ScenarioError(`there is no n${unknown + 1} among ${plan.nodes} nodes`);
  }
  return { ...plan, founders: Math.min(plan.founders, plan.nodes), steps: steps.toSorted((a, b) => a.atMs - b.atMs) };
}

/** The text of a plan: what `parsePlan` reads back as the same plan. */
export function formatPlan(plan: Plan): string {
  const { network: n, disk, clients } = plan;
  const lines = [
    `title ${plan.title}`,
    `nodes ${plan.nodes}${plan.founders < plan.nodes ? ` founders ${plan.founders}` : ''}`,
    `seconds ${plan.faultyMs / 1000}`,
    `network delay ${n.minDelayUs / 1000}..${n.maxDelayUs / 1000}ms loss ${n.lossChance / 100}% duplicate ${n.duplicateChance / 100}% tail ${n.tailChance / 100}%`,
    `disk ${disk.minWriteUs / 1000}..${disk.maxWriteUs / 1000}ms`,
    `storage ${plan.storage}`,
    `clients writers ${clients.writers} readers ${clients.readers} agents ${clients.agents}${clients.deciders === 0 ? '' : ` deciders ${clients.deciders}`}`,
    `snapshot ${plan.snapshotBytes}`,
    `append ${plan.appendBytes}`,
    ...(plan.mixed ? ['mixed settings'] : []),
    `reads ${plan.reads}`,
    ...plan.steps.map(({ atMs, forMs, action }) => `at ${atMs / 1000}s for ${forMs / 1000}s ${formatAction(action)}`),
  ];
  return `${lines.join('\n')}\n`;
}

export function formatAction(action: Action): string {
  const names = (targets: readonly Target[]): string => targets.map((t) => (typeof t === 'number' ? `n${t + 1}` : t)).join(' ');
  if (isPlain(action)) return `${action.kind} ${names(action.who)}`;
  switch (action.kind) {
    case 'shatter':
      return 'shatter';
    case 'ambush':
      return `ambush ${action.frames} frames`;
    case 'split':
    case 'bridge':
      return `${action.kind} ${action.groups.map(names).join(' | ')}`;
    case 'cut':
    case 'clog':
      return `${action.kind} ${action.groups.map(names).join(' > ')}`;
    case 'slow':
    case 'clock':
      return `${action.kind} ${names(action.who)} ${action.ms}ms`;
    case 'drift':
      return `drift ${names(action.who)} ${action.percent}%`;
  }
}

const isPlain = (action: Action): action is Extract<Action, { readonly kind: (typeof plainKinds)[number] }> =>
  plainKinds.some((kind) => kind === action.kind);

const targetsOf = (action: Action): readonly Target[] => {
  if ('who' in action) return action.who;
  return 'groups' in action ? action.groups.flat() : [];
};

function readHeader(word: string, r: LineReader, line: string): Partial<Plan> {
  switch (word) {
    case 'title':
      return { title: r.rest(line) };
    case 'nodes':
      return { nodes: r.number('', 1, maxNodes), founders: r.maybe('founders') ? r.number('', 1, maxNodes) : maxNodes };
    case 'seconds':
      return { faultyMs: Math.round(r.number('', 0.001, 86_400) * 1000) };
    case 'network': {
      r.expect('delay');
      const [minDelayUs, maxDelayUs] = r.range();
      const chance = (name: string): number => (r.maybe(name) ? Math.round(r.number('%', 0, 100) * 100) : 0);
      return {
        network: { minDelayUs, maxDelayUs, lossChance: chance('loss'), duplicateChance: chance('duplicate'), tailChance: chance('tail') },
      };
    }
    case 'disk': {
      const [minWriteUs, maxWriteUs] = r.range();
      return { disk: { minWriteUs, maxWriteUs } };
    }
    case 'storage': {
      if (r.maybe('level')) return { storage: 'level' };
      r.expect('memory');
      return { storage: 'memory' };
    }
    case 'clients': {
      const count = (name: keyof Plan['clients']): number => (r.maybe(name) ? r.number('', 0, 100) : 0);
      return { clients: { writers: count('writers'), readers: count('readers'), agents: count('agents'), deciders: count('deciders') } };
    }
    case 'snapshot':
      return { snapshotBytes: r.number('', 100, 1e9) };
    case 'append':
      return { appendBytes: r.number('', 1, 1e9) };
    case 'mixed':
      r.expect('settings');
      return { mixed: true };
    case 'reads': {
      const mode = r.word();
      return mode === 'safe' || mode === 'lease' ? { reads: mode } : r.fail(`expected safe or lease instead of ${mode}`);
    }
    default:
      return r.fail(`unknown word ${word}`);
  }
}

function readSteps(word: 'at' | 'every', r: LineReader, faultyMs: number, line: number): Step[] {
  const seconds = (): number => Math.round(r.number('s', 0, 86_400) * 1000);
  const firstMs = seconds();
  const forMs = r.maybe('for') ? seconds() : 0;
  const action = readAction(r);
  if (word === 'at') return [{ atMs: firstMs, forMs, action }];
  if (firstMs < 10) throw new ScenarioError(`line ${line}: every 0.01s at most`);
  const steps: Step[] = [];
  for (let atMs = firstMs; atMs < faultyMs; atMs += firstMs) steps.push({ atMs, forMs, action });
  return steps;
}

function readAction(r: LineReader): Action {
  const kind = r.word();
  switch (kind) {
    case 'shatter':
      return { kind };
    case 'ambush': {
      const frames = r.number('', 0, 10_000);
      r.expect('frames');
      return { kind, frames };
    }
    case 'split':
      return { kind, groups: r.groups('|', 2, maxNodes) };
    case 'bridge':
      return { kind, groups: r.groups('|', 3, 3) };
    case 'cut':
    case 'clog':
      return { kind, groups: r.groups('>', 2, 2) };
    case 'slow':
      return { kind, who: r.targets(), ms: r.number('ms', 0, 60_000) };
    case 'clock':
      return { kind, who: r.targets(), ms: r.number('ms', -1e9, 1e9) };
    case 'drift':
      return { kind, who: r.targets(), percent: r.number('%', -50, 100) };
    default:
      return { kind: plainKinds.find((plain) => plain === kind) ?? r.fail(`unknown action ${kind}`), who: r.targets() };
  }
}

/** The words of one line. */
class LineReader {
  readonly #words: readonly string[];
  readonly #line: number;
  #at = 0;

  constructor(words: readonly string[], line: number) {
    this.#words = words;
    this.#line = line;
  }

  fail(message: string): never {
    throw new ScenarioError(`line ${this.#line}: ${message}`);
  }

  word(): string {
    return this.#words[this.#at++] ?? this.fail('the line ends too early');
  }

  maybe(word: string): boolean {
    if (this.#words[this.#at] !== word) return false;
    this.#at++;
    return true;
  }

  expect(word: string): void {
    if (!this.maybe(word)) this.fail(`expected ${word} instead of ${this.#words[this.#at] ?? 'the end'}`);
  }

  end(): void {
    const extra = this.#words[this.#at];
    if (extra !== undefined) this.fail(`${extra} is too much`);
  }

  /** All that follows the first word, as written. */
  rest(line: string): string {
    this.#at = this.#words.length;
    return line.trim().slice('title'.length).trim();
  }

  number(unit: string, min: number, max: number): number {
    const word = this.word();
    const value = word.endsWith(unit) ? Number(word.slice(0, word.length - unit.length)) : Number.NaN;
    if (!(value >= min && value <= max))
      this.fail(`${word} is not a number from ${min} to ${max}${unit === '' ? '' : ` with the unit ${unit}`}`);
    return value;
  }

  /** `0.2..1ms`, in microseconds. */
  range(): [number, number] {
    const word = this.word();
    const match = /^([\d.]+)\.\.([\d.]+)ms$/.exec(word);
    const min = Math.round(Number(match?.[1]) * 1000);
    const max = Math.round(Number(match?.[2]) * 1000);
    if (!(min >= 0 && max >= min && max <= 60_000_000)) this.fail(`${word} is not a range like 0.2..1ms`);
    return [min, max];
  }

  targets(): Target[] {
    const found: Target[] = [];
    for (let word = this.#words[this.#at]; word !== undefined && isTarget(word); word = this.#words[++this.#at]) found.push(targetOf(word));
    if (found.length === 0) this.fail(`expected n1, leader, follower, others or all instead of ${this.#words[this.#at] ?? 'the end'}`);
    return found;
  }

  groups(separator: string, min: number, max: number): Target[][] {
    const groups = [this.targets()];
    while (this.maybe(separator)) groups.push(this.targets());
    if (groups.length < min || groups.length > max)
      this.fail(`expected ${min === max ? min : `${min} or more`} groups with ${separator} between them`);
    return groups;
  }
}

const isTarget = (word: string): boolean => /^(n[1-9]\d?|leader|follower|others|all)$/.test(word);

function targetOf(word: string): Target {
  return word === 'leader' || word === 'follower' || word === 'others' || word === 'all' ? word : Number(word.slice(1)) - 1;
}
