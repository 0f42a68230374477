import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { CliError, usageError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import { jsonOf } from './payload.ts';
import type { Session } from './session.ts';

/** Tasks in one request, and how many bytes of them; the API takes 1 MiB. */
const maxBatch = 500;
const maxBatchBytes = 900_000;

const taskLine = z.looseObject({ id: z.string().optional(), type: z.string() });
type TaskLine = z.infer<typeof taskLine>;

const answerSchema = z.object({ items: z.array(z.looseObject({ code: z.string().optional(), detail: z.string().optional() })) });

/**
 * Submits one task for each line, in batches. Each gets an id here if it has none: then a batch whose answer was lost can be sent again, and no task
 * exists twice.
 */
export async function submitMany(text: string, { http, printer, context }: Session): Promise<void> {
  const tasks = parseLines(text);
  let submitted = 0;
  let firstRefusal: string | undefined;
  for (const batch of batchesOf(tasks)) {
    const { items } = answerSchema.parse(await http.request('POST', '/v1/tasks', { body: batch, isRepeatable: true }));
    for (const item of items) {
      if (item.code === undefined) submitted++;
      else firstRefusal ??= `${item.code}: ${item.detail ?? ''}`;
      if (printer.format === 'ndjson') printer.line(JSON.stringify(item));
    }
    if (context.stderrIsTerminal) context.err(`\r${bar(submitted, tasks.length)}`);
  }
  if (context.stderrIsTerminal) context.err('\n');
  const refused = tasks.length - submitted;
  if (printer.format !== 'ndjson') printer.value({ submitted, refused }, () => `submitted ${submitted} tasks`);
  if (refused > 0)
    throw new CliError(
      exitCodes.error,
      `${refused} of ${tasks.length} tasks were refused (${firstRefusal ?? ''})`,
      'see each answer with -o ndjson',
    );
}

/** @throws CliError naming the first line that is not a task. */
export function parseLines(text: string): TaskLine[] {
  const tasks: TaskLine[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const parsed = taskLine.safeParse(jsonOf(line, `line ${at + 1}`));
    if (!parsed.success)
      throw usageError(
        `line ${at + 1} is not a task: ${parsed.error.issues[0]?.path.join('.') ?? ''} is missing or wrong`,
        'write {"type":"…","payload":…}',
      );
    tasks.push({ ...parsed.data, id: parsed.data.id ?? randomUUID() });
  }
  return tasks;
}

function* batchesOf(tasks: readonly TaskLine[]): Generator<TaskLine[]> {
  let batch: TaskLine[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const size = Buffer.byteLength(JSON.stringify(task));
    if (batch.length === maxBatch || (batch.length > 0 && bytes + size > maxBatchBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(task);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function bar(done: number, all: number): string {
  const filled = all === 0 ? 30 : Math.floor((30 * done) / all);
  return `[${'#'.repeat(filled)}${' '.repeat(30 - filled)}] ${done}/${all}`;
}
