import { expect } from 'chai';
import type { NodeId } from '../../src/core/ids.ts';
import type { Pubsub, PubsubChanges, PubsubVerdict } from '../../src/transport/pubsub.ts';
import { Cluster, eventually, newSeats, type TestNode } from './support.ts';

const boundMs = 60_000;

interface Member {
  readonly node: TestNode;
  readonly pubsub: Pubsub;
  readonly heard: { readonly from: NodeId; readonly text: string }[];
}

/** Cuts the links between one member and others, both ways. */
function isolate(one: Member, others: readonly Member[]): void {
  const cut = (from: Member, to: readonly Member[]): void => {
    const ids = to.map(({ node }) => node.id);
    from.node.transport.impair({ deafTo: ids, muteTo: ids });
  };
  cut(one, others);
  for (const other of others) cut(other, [one]);
}

describe('transport: gossipsub among members', () => {
  const cluster = new Cluster();
  afterEach(() => cluster.stop());

  async function join(node: TestNode, changes?: PubsubChanges, verdict: PubsubVerdict = 'accept'): Promise<Member> {
    const heard: { from: NodeId; text: string }[] = [];
    const pubsub = await node.transport.pubsub(
      {
        topic: 'test',
        members: 20,
        idOf: (message) => message.slice(0, 20),
        take: (from, message) => {
          heard.push({ from, text: new TextDecoder().decode(message) });
          return verdict;
        },
      },
      changes,
    );
    return { node, pubsub, heard };
  }

  const say = ({ pubsub }: Member, text: string): void => pubsub.publish(new TextEncoder().encode(text));
  const hasHeard = ({ heard }: Member, text: string): boolean => heard.some((one) => one.text === text);

  /** Says something new until all have heard one thing: what is published before the others are known to be in the topic reaches nobody. */
  async function reaches(from: Member, others: readonly Member[], withinMs = boundMs): Promise<void> {
    const endMs = performance.now() + withinMs;
    for (let count = 0; performance.now() < endMs; count++) {
      const text = `${from.node.id.slice(-8)} ${count}`;
      say(from, text);
      await eventually(() => others.every((other) => hasHeard(other, text)), 'heard', 500).catch(() => {});
      if (others.every((other) => hasHeard(other, text))) return;
    }
    throw new Error(`not heard by all within ${withinMs} ms`);
  }

  /** One in the middle of fifteen that know only it: enough at one address, and few connections. */
  async function star(changes?: PubsubChanges): Promise<{ readonly hub: Member; readonly others: readonly Member[] }> {
    const [center, ...seats] = await newSeats(16);
    if (center === undefined) throw new Error('sixteen seats');
    const hub = await cluster.start(center, [center.member, ...seats.map(({ member }) => member)]);
    const nodes = await Promise.all(seats.map((seat) => cluster.start(seat, [center.member, seat.member])));
    await eventually(() => nodes.every(({ id }) => hub.recorder.isUp(id)), 'the one in the middle is linked with all', boundMs);
    return { hub: await join(hub, changes), others: await Promise.all(nodes.map((node) => join(node, changes))) };
  }

  it('reaches every member though more than ten are at one address', async () => {
    const { hub, others } = await star();

    await reaches(hub, others);

    expect(hub.pubsub.meshSize).to.be.above(0);
  });

  it('would reach nobody with the default, which shuns more than ten at one address', async () => {
    const { hub, others } = await star({ scoreParams: { IPColocationFactorWeight: -5 } });
    await Promise.all(others.map((other) => eventually(() => other.node.recorder.isUp(hub.node.id), 'linked', boundMs)));
    await eventually(() => hub.pubsub.meshSize === 0, 'it has no mesh', boundMs);

    say(hub, 'is anybody there?');
    await new Promise((resolve) => setTimeout(resolve, 1000));

    expect(others.filter((other) => hasHeard(other, 'is anybody there?'))).to.have.length(0);
  });

  it('has a member back in the mesh a few seconds after it left, not a minute', async () => {
    const [a, b] = await cluster.startLinked(2);
    if (a === undefined || b === undefined) throw new Error('two members');
    const first = await join(a);
    const second = await join(b);
    await eventually(() => first.pubsub.meshSize === 1 && second.pubsub.meshSize === 1, 'they are in each other`s mesh', boundMs);

    second.pubsub.setActive(false);
    await eventually(() => first.pubsub.meshSize === 0, 'the one that left is out', boundMs);
    second.pubsub.setActive(true);

    await eventually(() => first.pubsub.meshSize === 1 && second.pubsub.meshSize === 1, 'it is back', 8000);
    await reaches(first, [second]);
  });

  it('goes on after links were cut and came back', async () => {
    const nodes = await cluster.startLinked(3);
    const members = await Promise.all(nodes.map((node) => join(node)));
    const [first, second, third] = members;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three members');
    await reaches(first, [second, third]);

    isolate(first, [second, third]);
    await eventually(() => first.pubsub.meshSize === 0, 'nobody is left', boundMs);
    for (const { node } of members) node.transport.impair({ deafTo: [], muteTo: [] });

    await reaches(first, [second, third]);
  });

  it('does not hand on what a member finds wrong', async () => {
    const [a, b, c] = await newSeats(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three members');
    // The outer two do not know each other, so that only the middle one could hand on.
    const first = await join(await cluster.start(a, [a.member, b.member]));
    const middle = await join(await cluster.start(b, [a.member, b.member, c.member]), {}, 'ignore');
    const last = await join(await cluster.start(c, [b.member, c.member]));
    await eventually(() => middle.pubsub.meshSize === 2, 'the middle one knows both', boundMs);

    await reaches(first, [middle]);

    expect(last.heard).to.deep.equal([]);
  });
});
