import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { isName, nodeId, type Genesis } from '../../src/index.ts';
import { CliError, messageOf } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';

const name = z.string().refine(isName, 'must be a name: letters, digits and . _ : @ -, at most 128');

/** A member in a file. */
export const member = z.strictObject({
  nodeId: name.transform((text) => nodeId(text)),
  name,
  http: z.url({ protocol: /^https?$/ }),
  peer: z.string().regex(/^\S+:\d{1,5}$/, 'must be host:port'),
});

const distinct = (values: readonly string[]): boolean => new Set(values).size === values.length;

/** At most this many members: a majority of them must answer every write. */
const maxMembers = 99;

const genesisSchema = z.strictObject({
  version: z.literal(1),
  clusterId: z.string().min(1).max(128),
  members: z
    .array(member)
    .min(1)
    .max(maxMembers)
    .refine((members) => distinct(members.map(({ nodeId: id }) => id)), 'two members have the same nodeId')
    .refine((members) => distinct(members.map((one) => one.name)), 'two members have the same name'),
  votes: z.strictObject({ guardMembership: z.boolean() }).optional(),
});

/** @throws CliError that says where the file is wrong. */
export function parseGenesis(text: string, path: string): Genesis {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError(exitCodes.error, `the genesis ${path} is not JSON: ${messageOf(error)}`, 'restore it from another node');
  }
  const parsed = genesisSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CliError(
    exitCodes.error,
    `the genesis ${path} is not valid: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
    'restore it from another node',
  );
}

/** @throws CliError if it can't be read or is not valid. */
export async function readGenesis(path: string): Promise<Genesis> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(
      exitCodes.error,
      `the genesis ${path} can't be read: ${messageOf(error)}`,
      'restore it from another node, or make a cluster with `quorate cluster init`',
    );
  }
  return parseGenesis(text, path);
}
