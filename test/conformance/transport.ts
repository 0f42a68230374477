import { expect } from 'chai';
import { equalBytes } from '../../src/core/bytes.ts';
import type { NodeId } from '../../src/core/ids.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { eventually, patterned } from '../transport/support.ts';
import type { Recorder } from '../transport/support.ts';

export interface ConformingNode {
  readonly id: NodeId;
  readonly transport: Transport;
  readonly recorder: Recorder;
}

/** What the suite needs of a kind of transport. */
export interface TransportFixture {
  /** Nodes that are all linked with one another. */
  start(count: number): Promise<readonly ConformingNode[]>;
  /** A node id nobody has. */
  unknown(): Promise<NodeId>;
  /** Stops every node. */
  stop(): Promise<void>;
}

const largestFrameBytes = 8 * 1024 * 1024;

/** What every transport promises, whatever carries it. */
export function transportConformance(name: string, fixture: TransportFixture): void {
  const start = async (): Promise<readonly [ConformingNode, ConformingNode, ConformingNode]> => {
    const [a, b, c] = await fixture.start(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three nodes');
    return [a, b, c];
  };

  describe(`transport: what every transport promises (${name})`, () => {
    afterEach(() => fixture.stop());

    it('tells each node once of the link to each other node', async () => {
      const nodes = await start();

      for (const node of nodes) {
        const others = nodes.filter((other) => other !== node).map((other) => other.id);
        expect(node.recorder.links.map((event) => event.peer)).to.have.members(others);
        expect(node.recorder.links.every((event) => event.up)).to.equal(true);
      }
    });

    it('delivers frames of all sizes unaltered, in order, and only to whom they were sent', async () => {
      const [a, b, c] = await start();
      const sent = [1, 2, 3, 4, 5, 127, 128, 4096, 65_535, 65_536, 70_001, 300_000, 1, 17].map((size, i) => patterned(size, i));

      for (const frame of sent) a.transport.send(b.id, frame);
      await eventually(() => b.recorder.frames.length >= sent.length, 'all frames have arrived');

      expect(b.recorder.frames.every(({ from }) => from === a.id)).to.equal(true);
      expect(b.recorder.frames.map(({ frame }, i) => equalBytes(frame, sent[i] ?? frame.subarray(1)))).to.deep.equal(sent.map(() => true));
      expect(c.recorder.frames).to.deep.equal([]);
    });

    it('delivers frames of the largest size', async () => {
      const [a, b] = await start();
      const sent = [patterned(largestFrameBytes, 1), patterned(largestFrameBytes - 1, 2)];

      for (const frame of sent) a.transport.send(b.id, frame);
      await eventually(() => b.recorder.frames.length >= 2, 'both frames have arrived');

      expect(b.recorder.frames.map(({ frame }, i) => equalBytes(frame, sent[i] ?? new Uint8Array()))).to.deep.equal([true, true]);
    });

    it('delivers many small frames of one turn, both ways at once', async () => {
      const [a, b] = await start();
      const texts = Array.from({ length: 2000 }, (_, i) => `frame ${i}`);

      for (const text of texts) {
        a.transport.send(b.id, Buffer.from(`a ${text}`));
        b.transport.send(a.id, Buffer.from(`b ${text}`));
      }
      await eventually(() => a.recorder.frames.length >= 2000 && b.recorder.frames.length >= 2000, 'all frames have arrived');

      expect(b.recorder.frames.map(({ frame }) => Buffer.from(frame).toString())).to.deep.equal(texts.map((text) => `a ${text}`));
      expect(a.recorder.frames.map(({ frame }) => Buffer.from(frame).toString())).to.deep.equal(texts.map((text) => `b ${text}`));
    });

    it('calls no handler from inside send', async () => {
      const [a, b] = await start();

      a.transport.send(b.id, Uint8Array.of(1));
      const within = b.recorder.frames.length;
      await eventually(() => b.recorder.frames.length === 1, 'the frame has arrived');

      expect(within).to.equal(0);
    });

    it('counts what it sends and receives', async () => {
      const [a, b] = await start();

      for (let i = 0; i < 10; i++) a.transport.send(b.id, patterned(100, i));
      await eventually(() => b.recorder.frames.length === 10, 'all frames have arrived');

      expect(a.transport.stats).to.include({ framesSent: 10, framesReceived: 0, framesDropped: 0, strangersRefused: 0, badStreams: 0 });
      expect(a.transport.stats.bytesSent).to.be.at.least(1000);
      expect(b.transport.stats).to.include({ framesSent: 0, framesReceived: 10 });
      expect(b.transport.stats.bytesReceived).to.equal(a.transport.stats.bytesSent);
    });

    it('drops frames to nodes it does not know and to itself', async () => {
      const [a, b] = await start();
      const unknown = await fixture.unknown();

      a.transport.send(unknown, Uint8Array.of(1));
      a.transport.send(a.id, Uint8Array.of(2));
      a.transport.send(b.id, Uint8Array.of(3));
      await eventually(() => b.recorder.frames.length > 0, 'the frame to a known node has arrived');

      expect(b.recorder.frames.map(({ frame }) => [...frame])).to.deep.equal([[3]]);
      expect(a.recorder.frames).to.deep.equal([]);
    });

    it('tells the others when a node stops, drops frames to it, and tells the stopped node nothing more', async () => {
      const [a, b, c] = await start();
      const heardBefore = b.recorder.links.length;

      await b.transport.stop();
      await eventually(() => !a.recorder.isUp(b.id) && !c.recorder.isUp(b.id), 'both others have lost the link');
      a.transport.send(b.id, Uint8Array.of(1));
      b.transport.send(a.id, Uint8Array.of(2));
      a.transport.send(c.id, Uint8Array.of(3));
      await eventually(() => c.recorder.frames.length === 1, 'the others still talk');

      expect(a.recorder.isUp(c.id)).to.equal(true);
      expect(a.recorder.frames).to.deep.equal([]);
      expect(b.recorder.frames).to.deep.equal([]);
      expect(b.recorder.links.length).to.equal(heardBefore);
    });

    it('can be stopped twice', async () => {
      const [a] = await start();

      await a.transport.stop();
      await a.transport.stop();

      expect(a.recorder.links.length).to.equal(2);
    });
  });
}
