import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { parsePlan } from '../../sim/plan-text.ts';
import { type Mutant, MutantError, parseMutant, plant } from '../../sim/mutant.ts';

/** A line of the ledger. */
export interface MutantResult {
  readonly mutant: string;
  readonly title: string;
  readonly source: string;
  readonly scenario: string;
  readonly caught: boolean;
  /** Runs until it was found, the one that found it included; else all that there was time for. */
  readonly seeds: number;
  /** Wall time of these runs, without the compiler's. */
  readonly seconds: number;
  /** What broke first, when it was found. */
  readonly invariant?: string;
  /** The run that found it. */
  readonly seed?: number;
  /** Faults that are left after shrinking, and the seconds that it took, when that was asked for. */
  readonly faults?: number;
  readonly shrinkSeconds?: number;
}

export interface MutantBudget {
  readonly seeds: number;
  readonly seconds: number;
  /** Seconds for making the run that found it small; undefined: it is left as it is. */
  readonly shrink?: number;
  /** Where the small scenarios go; nowhere by default. */
  readonly scenarios?: string;
}

const runSchema = z.object({ seed: z.number().optional(), verdict: z.string().optional(), invariant: z.string().optional() });

/** Every planted bug of `sim/mutants`, in the order of their names. */
export function readMutants(root: string): Mutant[] {
  const directory = join(root, 'sim/mutants');
  const names = readdirSync(directory).filter((name) => name.endsWith('.txt'));
  return names.toSorted().map((name) => parseMutant(name.slice(0, -'.txt'.length), readFileSync(join(directory, name), 'utf8')));
}

/** The changed files of a bug by their paths. @throws MutantError when it doesn't fit the sources. */
export function plantIn(root: string, { name, changes }: Mutant): Map<string, string> {
  const texts = new Map<string, string>();
  for (const change of changes) {
    const text = texts.get(change.file) ?? readFileSync(join(root, change.file), 'utf8');
    texts.set(change.file, plant(name, text, change));
  }
  return texts;
}

/** The command that is to find the bug: a world of its own, or runs of a cluster. The first are much the shortest, so there are more of them. */
const runsOf = ({ scenario }: Mutant, { seeds }: MutantBudget): string[] => {
  if (scenario === engine) return ['sim', 'byzantine', '--seeds', String(seeds * 10)];
  if (scenario === frames) return ['sim', 'byzantine', '--frames', '--seeds', String(seeds)];
  if (scenario === gossip) return ['sim', 'gossip', '--seeds', String(seeds * 10)];
  return ['sim', 'run', scenario, '--seeds', String(seeds)];
};

const [engine, frames, gossip] = ['byzantine', 'byzantine-frames', 'gossip'];

/** Compiles a copy of the sources with the bug in it, and runs seeds until one fails. */
export async function hunt(root: string, mutant: Mutant, budget: MutantBudget, signal: AbortSignal): Promise<MutantResult> {
  const copy = mkdtempSync(join(tmpdir(), 'quorate-mutant-'));
  try {
    await compile(root, copy, plantIn(root, mutant));
    const startedMs = performance.now();
    const args = [...runsOf(mutant, budget), '--first-failure', '--output', 'json'];
    const output = await runNode([join(copy, 'bin/quorate.js'), ...args], copy, budget.seconds * 1000, signal);
    const seconds = (performance.now() - startedMs) / 1000;
    const runs = output.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    const last = runSchema.parse(JSON.parse(runs.at(-1) ?? '{}'));
    const { name, title, source, scenario } = mutant;
    const found =
      last.verdict !== undefined && last.verdict !== 'ok' ? { invariant: last.invariant ?? last.verdict, seed: last.seed ?? 0 } : {};
    const isShrunk = budget.shrink !== undefined && ![engine, frames, gossip].includes(scenario);
    const shrunk = isShrunk && found.seed !== undefined ? await shrinkIn(copy, mutant, found.seed, budget, signal) : {};
    const spent = { seeds: runs.length, seconds: Number(seconds.toFixed(1)) };
    return { mutant: name, title, source, scenario, caught: 'seed' in found, ...spent, ...found, ...shrunk };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

async function shrinkIn(copy: string, { name, scenario }: Mutant, seed: number, budget: MutantBudget, signal: AbortSignal) {
  const file = join(copy, 'small.txt');
  const seconds = budget.shrink ?? 0;
  const startedMs = performance.now();
  const args = ['sim', 'shrink', String(seed), scenario, '--budget', String(seconds), '--out', file];
  await runNode([join(copy, 'bin/quorate.js'), ...args], copy, (seconds + 30) * 1000, signal);
  const text = readFileSync(file, 'utf8');
  if (budget.scenarios !== undefined) writeFileSync(join(budget.scenarios, `${name}.txt`), text);
  const shrinkSeconds = Number(((performance.now() - startedMs) / 1000).toFixed(1));
  return { faults: parsePlan(text).steps.length, shrinkSeconds };
}

async function compile(root: string, copy: string, texts: ReadonlyMap<string, string>): Promise<void> {
  for (const part of ['src', 'sim', 'daemon', 'bin', 'package.json']) cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const [file, text] of texts) writeFileSync(join(copy, file), text);
  const compilerOptions = { noCheck: true, incremental: false, tsBuildInfoFile: null, declaration: false, rootDir: '.', outDir: 'dist' };
  const settings = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['src', 'daemon', 'sim'] };
  writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(settings));
  const compiler = join(createRequire(join(root, 'package.json')).resolve('typescript/package.json'), '../bin/tsc');
  const said = await runNode([compiler, '-p', copy], copy, 60_000, AbortSignal.timeout(60_000));
  if (said.includes('error TS')) throw new MutantError(`a planted bug does not compile: ${said}`);
}

/** What the process printed until it ended, or was ended when its time was up. */
function runNode(args: readonly string[], cwd: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args], { cwd, stdio: ['ignore', 'pipe', 'ignore'], timeout: timeoutMs, signal });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}
