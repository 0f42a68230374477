import type { DeleteSecret, PutSecret } from './commands.ts';
import { accepted, done, type Machine, type Outcome, refused } from './machine.ts';

/** Stores a value, locked; a new value of a secret that is unlocked is locked again, for nobody has voted on it. */
export function putSecret({ secrets, limits, index }: Machine, { name, value }: PutSecret): Outcome {
  if (secrets.get(name) === undefined && secrets.size >= limits.maxSecrets)
    return refused('overloaded', `there are ${limits.maxSecrets} secrets; delete some`);
  secrets.put({ name, value, version: index, unlockedUntilTs: undefined });
  return accepted({ kind: 'key', version: index });
}

export function deleteSecret({ secrets }: Machine, { name }: DeleteSecret): Outcome {
  if (secrets.get(name) === undefined) return refused('not_found', `there is no secret ${name}`);
  secrets.delete(name);
  return done;
}
