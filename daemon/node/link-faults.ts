import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Logger, NodeId } from '../../src/index.ts';
import { messageOf, usageError } from '../cli-error.ts';

/** In the data directory of a node that was started with `--dev-faults`; names are those of members. */
export const faultsFile = 'faults.json';

export const faultsSchema = z.strictObject({ deafTo: z.array(z.string()).max(1024), muteTo: z.array(z.string()).max(1024) });
export type NamedFaults = z.infer<typeof faultsSchema>;

const noFaults: NamedFaults = { deafTo: [], muteTo: [] };
/** How soon a change of the file is seen. */
const lookMs = 50;

/**
 * What is to be cut, as a person writes it, for the nodes 1 to `count`: `1,2/3,4,5` are groups that don't hear each other (a node in two of them is a bridge; those in
 * none are a group of their own); `1,2>3` loses what 1 and 2 say to 3, and nothing else. Returns, for each node, who is lost to it.
 *
 * @throws CliError for anything else.
 */
export function parsePartition(text: string, count: number): (hearer: number, speaker: number) => boolean {
  const numbers = (part: string): Set<number> => {
    const found = part.split(',').map((word) => (/^\d{1,3}$/.test(word.trim()) ? Number(word) : 0));
    const wrong = found.findIndex((number) => number < 1 || number > count);
    if (wrong >= 0)
      throw usageError(`${part.split(',')[wrong]?.trim() ?? ''} is no node`, `nodes are numbered 1 to ${count}, as in 1,2/3,4,5 or '1>2'`);
    return new Set(found);
  };
  const [from, to, ...rest] = text.split('>');
  if (from === undefined || rest.length > 0 || (to !== undefined && text.includes('/')))
    throw usageError(`${text} can't be read`, "write groups as 1,2/3,4,5 or one direction as '1>2'");
  if (to !== undefined) {
    const [speakers, hearers] = [numbers(from), numbers(to)];
    return (hearer, speaker) => hearers.has(hearer) && speakers.has(speaker);
  }
  const groups = text.split('/').map(numbers);
  const named = new Set(groups.flatMap((group) => [...group]));
  groups.push(new Set(Array.from({ length: count }, (_, i) => i + 1).filter((number) => !named.has(number))));
  return (hearer, speaker) => !groups.some((group) => group.has(hearer) && group.has(speaker));
}

/** What each of these nodes is to lose, so that exactly the `isLost` frames are. */
export function faultsOf(names: readonly string[], isLost: (hearer: number, speaker: number) => boolean): ReadonlyMap<string, NamedFaults> {
  return new Map(
    names.map((name, i) => {
      const others = names.map((other, j) => ({ other, number: j + 1 })).filter(({ number }) => number !== i + 1);
      const deafTo = others.filter(({ number }) => isLost(i + 1, number)).map(({ other }) => other);
      const muteTo = others.filter(({ number }) => isLost(number, i + 1)).map(({ other }) => other);
      return [name, { deafTo, muteTo }];
    }),
  );
}

interface Impaired {
  readonly peers: { members(): readonly { readonly nodeId: NodeId; readonly name: string }[] };
  impairLinks(faults: { readonly deafTo: readonly NodeId[]; readonly muteTo: readonly NodeId[] }): void;
}

/** Follows the file until the returned function is called. Without a file no link is impaired; one that can't be read changes nothing. */
export function followFaults(node: Impaired, path: string, logger: Logger): () => void {
  let last = '';
  let isReading = false;
  const look = async (): Promise<void> => {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text === last) return;
    last = text;
    try {
      const { deafTo, muteTo } = text === '' ? noFaults : faultsSchema.parse(JSON.parse(text));
      const members = node.peers.members();
      const idsOf = (names: readonly string[]): NodeId[] => members.filter(({ name }) => names.includes(name)).map(({ nodeId }) => nodeId);
      node.impairLinks({ deafTo: idsOf(deafTo), muteTo: idsOf(muteTo) });
      logger.warn({ deafTo, muteTo }, 'links are impaired as told by the file');
    } catch (error) {
      logger.warn({ path, reason: messageOf(error) }, 'the file of link faults is not valid');
    }
  };
  const timer = setInterval(() => {
    if (isReading) return;
    isReading = true;
    void look().finally(() => {
      isReading = false;
    });
  }, lookMs);
  return () => clearInterval(timer);
}
