import type { LogIndex } from '../core/ids.ts';
import type { DeleteKey, PutKey } from './commands.ts';
import { accepted, type Machine, type Outcome, refused } from './machine.ts';

export function putKey(machine: Machine, command: PutKey): Outcome {
  const { keys, limits, index, ts, events } = machine;
  const { key, value, ifVersion } = command;
  const before = keys.get(key);
  const version = before?.version ?? 0;
  if (ifVersion !== undefined && ifVersion !== version) return mismatch(version);
  if (before === undefined && keys.size >= limits.maxKeys)
    return refused('overloaded', 'there are as many keys as this cluster keeps', { maxKeys: limits.maxKeys });
  const growth = before === undefined ? key.length + value.length : value.length - before.value.length;
  if (growth > 0 && keys.text + growth > limits.maxKeyText) return refused('overloaded', 'keys and values fill the room they have');
  keys.put(key, value, index);
  events.push({ kind: 'key', index, ts, key, version: index });
  return accepted({ kind: 'key', version: index });
}

export function deleteKey(machine: Machine, command: DeleteKey): Outcome {
  const { keys, index, ts, events } = machine;
  const before = keys.get(command.key);
  if (command.ifVersion !== undefined && command.ifVersion !== (before?.version ?? 0)) return mismatch(before?.version ?? 0);
  if (before === undefined) return refused('not_found', 'there is no such key');
  keys.delete(before);
  events.push({ kind: 'key', index, ts, key: command.key, version: undefined });
  return accepted({ kind: 'none' });
}

const mismatch = (version: LogIndex): Outcome =>
  refused('version_mismatch', version === 0 ? 'there is no such key' : `the key is at version ${version}`, { version });
