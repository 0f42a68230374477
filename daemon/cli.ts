import { Command, Option } from 'commander';
import { addAgentCommands } from './commands/agent.ts';
import { addBenchCommands } from './commands/bench.ts';
import { addClusterCommands } from './commands/cluster.ts';
import { addSecretCommands } from './commands/decision.ts';
import { addDevCommands } from './commands/dev.ts';
import { addExplainCommands } from './commands/explain.ts';
import { addKvCommands } from './commands/kv.ts';
import { addMemberCommands } from './commands/member.ts';
import { addPartitionCommands } from './commands/partition.ts';
import { addSimCommands } from './commands/sim.ts';
import { addSnapshotCommands } from './commands/snapshot.ts';
import { addStartCommand } from './commands/start.ts';
import { addStatusCommands } from './commands/status.ts';
import { addTaskCommands } from './commands/task.ts';
import { addToolCommands } from './commands/tools.ts';
import { addVoteCommands } from './commands/vote.ts';
import type { Context } from './context.ts';

/** The whole tree of commands. Parsing runs the chosen one; what goes wrong is thrown, never printed here. */
export function createProgram(context: Context): Command {
  const program = new Command('quorate')
    .description('A distributed consensus cluster for swarms of agents: daemon and client in one.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out(text),
      // The usage error is reported by main, as every other failure is; help asked for by mistake still belongs on stderr.
      writeErr: (text) => context.err(text),
      outputError: () => {},
    })
    .addOption(new Option('-o, --output <format>', 'table, json or ndjson (env QUORATE_OUTPUT)'))
    .option('--endpoints <urls>', 'nodes to ask, divided by commas (env QUORATE_ENDPOINTS, default http://127.0.0.1:7401)')
    .option('--token <token>', 'bearer token (env QUORATE_TOKEN)')
    .option('--timeout <duration>', 'bound on a request (env QUORATE_TIMEOUT, default 10s)')
    .option('--consistency <level>', 'of reads: linearizable, leader or local (default linearizable)');
  addClusterCommands(program, context);
  addStartCommand(program, context);
  addDevCommands(program, context);
  addStatusCommands(program, context);
  addMemberCommands(program, context);
  addPartitionCommands(program, context);
  addExplainCommands(program, context);
  addSnapshotCommands(program, context);
  addKvCommands(program, context);
  addAgentCommands(program, context);
  addTaskCommands(program, context);
  addVoteCommands(program, context);
  addSecretCommands(program, context);
  addSimCommands(program, context);
  addBenchCommands(program, context);
  addToolCommands(program, context);
  return program;
}
