import { expect } from 'chai';
import { nodeId } from '../../src/core/ids.ts';
import { AddressBook, type OwnView } from '../../src/node/address-book.ts';
import type { MemberInfo, MemberStatus } from '../../src/node/genesis.ts';
import { configurationOf } from '../../src/raft/configuration.ts';
import { MemberTable } from '../../src/tasks/members.ts';

const info = (name: string, port = 1): MemberInfo => ({ nodeId: nodeId(name), name, http: `http://h:${port}`, peer: `h:${port}` });
const voter = (name: string, port = 1): MemberStatus => ({ ...info(name, port), voter: true });

/** A node whose log says at `index` that these are the voters; those that joined are in its table. */
function own(index: number, voters: readonly string[], joined: readonly MemberInfo[] = []): OwnView {
  const table = new MemberTable();
  for (const member of joined) table.put({ ...member, promote: true });
  return { index, configuration: configurationOf(voters.map((name) => nodeId(name))), table };
}

const names = (members: readonly MemberInfo[]): string[] => members.map(({ name }) => name);

describe('node: address book', () => {
  it('goes by the log where that is later than what the node was told', () => {
    const book = new AddressBook([info('a')], { index: 5, members: [voter('a'), voter('b')] });

    const roster = book.roster(own(9, ['a', 'c'], [info('c', 3)]));

    expect(roster).to.deep.equal({ index: 9, members: [voter('a'), voter('c', 3)] });
  });

  it('talks with those it was told of and those of its log while its log is behind', () => {
    const book = new AddressBook([info('a'), info('b')], { index: 9, members: [voter('a'), voter('c')] });

    expect(names(book.peers(nodeId('a'), own(2, ['a', 'b'])))).to.have.members(['b', 'c']);
    expect(names(book.peers(nodeId('a'), own(9, ['a', 'c'])))).to.deep.equal(['c']);
  });

  it('takes a later roster and no earlier one', () => {
    const book = new AddressBook([info('a')], { index: 5, members: [voter('a')] });

    expect(book.tell({ index: 5, members: [voter('b')] })).to.equal(false);
    expect(book.tell({ index: 6, members: [voter('a'), voter('b')] })).to.equal(true);
    expect(names(book.peers(nodeId('a'), own(0, ['a'])))).to.deep.equal(['b']);
  });

  it('talks with nobody once it is no member any more', () => {
    const book = new AddressBook([info('a'), info('b')], undefined);

    expect(book.peers(nodeId('a'), own(7, ['b']))).to.deep.equal([]);
  });

  it('finds a member that has moved where the log says', () => {
    const book = new AddressBook([info('a'), info('b', 1)], undefined);

    expect(book.peers(nodeId('a'), own(7, ['a', 'b'], [info('b', 2)]))[0]?.peer).to.equal('h:2');
  });

  it('finds one node as it finds all of them', () => {
    const book = new AddressBook([info('a'), info('b')], { index: 5, members: [voter('b', 2), voter('c')] });
    const { table } = own(9, ['a'], [info('c', 3), info('d')]);

    for (const [id, member] of book.all(table)) expect(book.get(id, table)).to.include(member);
    expect(book.get(nodeId('x'), table)).to.equal(undefined);
  });
});
