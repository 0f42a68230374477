import { isName, type NodeId, nodeId } from '../core/ids.ts';

/** One step of a change. `add-voter` also promotes a learner, `add-learner` also demotes a voter; a step that is already true does nothing. */
export interface MemberChange {
  readonly type: 'add-voter' | 'add-learner' | 'remove';
  readonly node: NodeId;
}

/**
 * What a configuration entry asks for. Without `changes` it leaves the joint configuration. `auto` changes one member directly and several through
 * a joint configuration that the leader leaves by itself; `joint-implicit` and `joint-explicit` always go through one, left by itself or on request.
 */
export interface ConfigurationChange {
  readonly transition: 'auto' | 'joint-implicit' | 'joint-explicit';
  /** At most `maxMemberChanges`. */
  readonly changes: readonly MemberChange[];
  /** Opaque to Raft: addresses of the new members, for example. At most `maxChangeContext` characters. */
  readonly context: string;
}

/** The entry by which a joint configuration is left. */
export const leaveJoint: ConfigurationChange = { transition: 'auto', changes: [], context: '' };

/** A whole cluster can be exchanged at once; nobody needs more, and the entry stays small. */
export const maxMemberChanges = 256;
/** Room for a few addresses per member. */
export const maxChangeContext = 65_536;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The bytes of a configuration entry: UTF-8 JSON, as changes are rare and people read them in dumps. */
export function encodeConfigurationChange({ transition, changes, context }: ConfigurationChange): Uint8Array {
  return encoder.encode(JSON.stringify({ transition, changes: changes.map(({ type, node }) => ({ type, node })), context }));
}

/** The change, or `undefined` for bytes that aren't one: they come from a peer, and every node must ignore them alike. */
export function decodeConfigurationChange(data: Uint8Array): ConfigurationChange | undefined {
  try {
    return checkedChange(JSON.parse(decoder.decode(data)));
  } catch {
    return undefined;
  }
}

function checkedChange(value: unknown): ConfigurationChange | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('transition' in value && 'changes' in value && 'context' in value)) return undefined;
  const { transition, changes, context } = value;
  if (transition !== 'auto' && transition !== 'joint-implicit' && transition !== 'joint-explicit') return undefined;
  if (typeof context !== 'string' || context.length > maxChangeContext) return undefined;
  if (!Array.isArray(changes) || changes.length > maxMemberChanges) return undefined;
  const checked: MemberChange[] = [];
  for (const change of changes) {
    const member = checkedMemberChange(change);
    if (member === undefined) return undefined;
    checked.push(member);
  }
  return { transition, changes: checked, context };
}

function checkedMemberChange(value: unknown): MemberChange | undefined {
  if (typeof value !== 'object' || value === null || !('type' in value && 'node' in value)) return undefined;
  const { type, node } = value;
  if (type !== 'add-voter' && type !== 'add-learner' && type !== 'remove') return undefined;
  if (typeof node !== 'string' || !isName(node)) return undefined;
  return { type, node: nodeId(node) };
}
