import { expect } from 'chai';
import type { NodeId } from '../../src/core/ids.ts';
import { nodeId } from '../../src/core/ids.ts';
import { MemoryNetwork } from '../../src/transport/memory-transport.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { transportConformance } from '../conformance/transport.ts';
import { Recorder } from './support.ts';

let running: Transport[] = [];

transportConformance('memory', {
  start: (count) => {
    const network = new MemoryNetwork((task) => setImmediate(task));
    const nodes = Array.from({ length: count }, (_, i) => {
      const recorder = new Recorder();
      const id = nodeId(`n${i + 1}`);
      return { id, recorder, transport: network.join(id, recorder) };
    });
    running = nodes.map((node) => node.transport);
    return new Promise((resolve) => setImmediate(() => resolve(nodes)));
  },
  unknown: () => Promise.resolve(nodeId('nobody')),
  stop: async () => {
    for (const transport of running) await transport.stop();
  },
});

describe('transport: memory twin', () => {
  const [n1, n2] = [nodeId('n1'), nodeId('n2')];

  class Steps {
    readonly tasks: (() => void)[] = [];
    readonly network = new MemoryNetwork((task) => this.tasks.push(task));

    join(id: NodeId): { recorder: Recorder; transport: ReturnType<MemoryNetwork['join']> } {
      const recorder = new Recorder();
      return { recorder, transport: this.network.join(id, recorder) };
    }

    run(): void {
      for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task();
    }
  }

  it('does nothing before its scheduler runs', () => {
    const steps = new Steps();
    const a = steps.join(n1);
    const b = steps.join(n2);

    a.transport.send(n2, Uint8Array.of(7));

    expect([a.recorder.links, b.recorder.links, b.recorder.frames]).to.deep.equal([[], [], []]);
    steps.run();
    expect(b.recorder.links).to.deep.equal([{ peer: n1, up: true }]);
    expect(b.recorder.frames).to.deep.equal([{ from: n1, frame: Uint8Array.of(7) }]);
  });

  it('loses what was on its way when the link is cut, and links again when healed', () => {
    const steps = new Steps();
    const a = steps.join(n1);
    const b = steps.join(n2);
    steps.run();

    a.transport.send(n2, Uint8Array.of(1));
    steps.network.cut(n1, n2);
    a.transport.send(n2, Uint8Array.of(2));
    steps.network.heal();
    a.transport.send(n2, Uint8Array.of(3));
    steps.run();

    expect(b.recorder.frames).to.deep.equal([{ from: n1, frame: Uint8Array.of(3) }]);
    expect(a.recorder.links.map(({ up }) => up)).to.deep.equal([true, false, true]);
    expect(b.recorder.links.map(({ up }) => up)).to.deep.equal([true, false, true]);
  });

  it('keeps a cut over the restart of a node', () => {
    const steps = new Steps();
    const a = steps.join(n1);
    steps.network.cut(n1, n2);

    const b = steps.join(n2);
    a.transport.send(n2, Uint8Array.of(1));
    steps.run();

    expect([a.recorder.links, b.recorder.links, b.recorder.frames]).to.deep.equal([[], [], []]);
  });

  it('gives a fresh link after dropLink', () => {
    const steps = new Steps();
    const a = steps.join(n1);
    const b = steps.join(n2);
    steps.run();

    b.transport.send(n1, Uint8Array.of(1));
    a.transport.dropLink(n2);
    steps.run();

    expect(a.recorder.frames).to.deep.equal([]);
    expect(a.recorder.links.map(({ up }) => up)).to.deep.equal([true, false, true]);
  });

  it('lets no stopped node speak for the one that took its name', async () => {
    const steps = new Steps();
    const old = steps.join(n1);
    const b = steps.join(n2);
    await old.transport.stop();

    const fresh = steps.join(n1);
    old.transport.send(n2, Uint8Array.of(1));
    fresh.transport.send(n2, Uint8Array.of(2));
    await old.transport.stop();
    steps.run();

    expect(b.recorder.frames.map(({ frame }) => [...frame])).to.deep.equal([[2]]);
    expect(old.recorder.links).to.deep.equal([]);
    expect(fresh.recorder.links).to.deep.equal([{ peer: n2, up: true }]);
  });

  it('is not changed by what the sender does to its bytes afterwards', () => {
    const steps = new Steps();
    const a = steps.join(n1);
    const b = steps.join(n2);
    const frame = Uint8Array.of(1, 2);

    a.transport.send(n2, frame);
    frame.fill(9);
    steps.run();

    expect(b.recorder.frames.map((received) => [...received.frame])).to.deep.equal([[1, 2]]);
  });
});
