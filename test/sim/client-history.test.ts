import { expect } from 'chai';
import { failure } from '../../src/core/errors.ts';
import type { CommandResult } from '../../src/tasks/commands.ts';
import { ClientHistory, keyOutput, taskOutput, taskRead } from '../../sim/client-history.ts';
import { Violation } from '../../sim/violation.ts';
import { deed, node } from './invariants-support.ts';

/** A history over a clock that moves by one with every step. */
class Story {
  #us = 0;
  readonly history = new ClientHistory(() => ++this.#us);

  put(value: string) {
    return this.history.key(0, 'k', { kind: 'put', value }, `put ${value}`);
  }

  get() {
    return this.history.key(1, 'k', { kind: 'get' }, undefined);
  }

  /** The log carries the write out. */
  applied(index: number, value: string): void {
    const told = deed(index, { op: 'PutKey', key: 'k', value, ifVersion: undefined }, []);
    this.history.onCommand(node({}), { ...told, result: { ok: true, index, value: { kind: 'key', version: index } } });
  }

  write(index: number, value: string): void {
    const open = this.put(value);
    open.sent = 1;
    this.applied(index, value);
    open.answered({ kind: 'written', version: index });
  }
}

const seen = (value: string, version: number) => ({ kind: 'value' as const, value, version });

describe('simulator: histories of clients', () => {
  it('accepts reads that see what was written before them', () => {
    const story = new Story();

    story.write(1, 'a');
    story.get().answered(seen('a', 1));

    expect(() => story.history.atEnd()).not.to.throw();
  });

  it('refuses a read that misses what was acknowledged before it', () => {
    const story = new Story();

    story.write(1, 'a');
    story.get().answered({ kind: 'missing' });

    expect(() => story.history.atEnd()).to.throw(Violation, /^linearizable: .*"get"/);
  });

  it('lets an unanswered write take effect where the log says, and nowhere else', () => {
    const story = new Story();
    const open = story.put('a');
    const early = story.get();

    story.applied(1, 'a');
    open.failed(failure('timeout', ''));
    early.answered({ kind: 'missing' });
    story.get().answered(seen('a', 1));
    story.history.atEnd();
    story.get().answered({ kind: 'missing' });

    expect(() => story.history.atEnd()).to.throw(Violation, /^linearizable: /);
  });

  it('knows that a write which no node applied was never seen', () => {
    const story = new Story();

    story.put('a').failed(failure('outcome_unknown', ''));
    story.get().answered(seen('a', 1));

    expect(() => story.history.atEnd()).to.throw(Violation, /^linearizable: /);
  });

  it('refuses an answer that no log has given', () => {
    const story = new Story();

    story.put('a').answered({ kind: 'written', version: 1 });

    expect(() => story.history.atEnd()).to.throw(Violation, /was answered, but no node has applied it/);
  });

  it('accepts a write that one client was refused for certain, while another who asked for the same heard nothing', () => {
    const story = new Story();
    const unheard = story.put('a');
    unheard.sent = 1;
    const refused = story.put('a');
    refused.sent = 1;
    refused.failed(failure('no_quorum', ''));
    story.applied(7, 'a');

    story.history.atEnd();
  });

  it('refuses a write that was refused for certain and carried out', () => {
    const story = new Story();
    const open = story.put('a');

    open.sent = 1;
    open.failed(failure('no_quorum', ''));
    story.applied(1, 'a');

    expect(() => story.history.atEnd()).to.throw(Violation, /^refused-is-not-done: /);
  });

  it('judges a thousand unanswered writes at once', () => {
    const story = new Story();
    for (let index = 1; index <= 1000; index++) story.put(`${index}`);

    for (let index = 1; index <= 1000; index++) {
      if (index % 2 === 0) story.applied(index, `${index}`);
      else story.get().answered(index === 1 ? { kind: 'missing' } : seen(`${index - 1}`, index - 1));
    }

    story.history.atEnd();
    expect(story.history.gaveUp).to.equal(0);
  });

  it('tells what an answer says of a key or a task, or that it says nothing', () => {
    const refused = (code: Parameters<typeof failure>[0], data = {}): CommandResult => ({
      ok: false,
      index: 5,
      failure: failure(code, '', data),
    });
    const fenced = { fence: 7, state: 'retry_wait' };

    expect(keyOutput(refused('not_found'))).to.deep.equal({ kind: 'missing' });
    expect(keyOutput(refused('version_mismatch', { version: 3 }))).to.deep.equal({ kind: 'version_mismatch', version: 3 });
    expect(keyOutput(refused('overloaded'))).to.equal(undefined);
    expect(taskOutput(refused('stale_fence', fenced), { kind: 'read' })).to.deep.equal({ kind: 'stale_fence', phase: 'pending', fence: 7 });
    expect(taskOutput(refused('overloaded'), { kind: 'read' })).to.equal(undefined);
    expect(taskRead(undefined)).to.deep.equal({ kind: 'unknown_task' });
  });
});
