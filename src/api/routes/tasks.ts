import { createHash, randomUUID } from 'node:crypto';
import { failure, QuorateError } from '../../core/errors.ts';
import { agentId, taskId } from '../../core/ids.ts';
import type { NodeService } from '../../node/service.ts';
import type { Command, CommandResult } from '../../tasks/commands.ts';
import { maxPayloadLength, maxResultLength } from '../../wire/limits.ts';
import { done, indexHeader, readHeaders, route, type Answer, type Route } from '../route.ts';
import {
  completeBody,
  failBody,
  fenceBody,
  idParams,
  noBody,
  noQuery,
  taskHeartbeatBody,
  taskQuery,
  tasksBody,
  tasksQuery,
  type TaskBody,
} from '../schemas.ts';
import { taskView } from '../views.ts';

export const taskRoutes = (node: NodeService): Route[] => [
  route({
    method: 'POST',
    path: '/v1/tasks',
    summary: 'Submit one task, or up to 1000 at once',
    query: noQuery,
    body: tasksBody,
    handle: ({ body, header, signal }) =>
      Array.isArray(body)
        ? submitMany(node, body, header('idempotency-key'), signal)
        : submitOne(node, body, header('idempotency-key'), signal),
  }),
  route({
    method: 'GET',
    path: '/v1/tasks',
    summary: 'Tasks in the order of their creation',
    query: tasksQuery,
    handle: async ({ query: { consistency, state, type, agent, limit, cursor }, signal }) => {
      const headers = await readHeaders(node, consistency, signal);
      const page = node.state().tasks.list({ state, type, agent: agent === undefined ? undefined : agentId(agent) }, cursor ?? 0, limit);
      return { headers, body: { items: page.items.map(taskView), ...(page.next === undefined ? {} : { cursor: String(page.next) }) } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/tasks/:id',
    summary: 'One task; with wait, once it has ended',
    params: idParams,
    query: taskQuery,
    handle: async ({ params: { id }, query: { consistency, wait }, signal }) => {
      let headers = await readHeaders(node, consistency, signal);
      if (wait !== undefined) {
        await node.waitForTask(taskId(id), wait, signal);
        headers = await readHeaders(node, 'local', signal);
        headers['quorate-consistency'] = consistency;
      }
      const task = node.state().tasks.get(taskId(id));
      if (task === undefined) throw new QuorateError(failure('unknown_task', `there is no task ${id}`));
      return { headers, body: taskView(task) };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/tasks/:id',
    summary: 'Cancel a task',
    params: idParams,
    query: noQuery,
    handle: async ({ params: { id }, signal }) => stateAnswer(id, await node.submit({ op: 'CancelTask', task: taskId(id) }, { signal })),
  }),
  route({
    method: 'POST',
    path: '/v1/tasks/:id/complete',
    summary: 'The holder has finished the task',
    params: idParams,
    query: noQuery,
    body: completeBody,
    handle: async ({ params: { id }, body: { fence, result }, header, signal }) => {
      const text = JSON.stringify(result);
      if (text.length > maxResultLength)
        throw new QuorateError(failure('too_large', `a result is at most ${maxResultLength} characters of JSON`));
      const command = { op: 'CompleteTask', task: taskId(id), fence, result: text } as const;
      return stateAnswer(id, await node.submit(command, { signal, idempotencyKey: header('idempotency-key') }));
    },
  }),
  route({
    method: 'POST',
    path: '/v1/tasks/:id/fail',
    summary: 'The holder could not do the task',
    params: idParams,
    query: noQuery,
    body: failBody,
    handle: async ({ params: { id }, body: { fence, error, retryable }, header, signal }) => {
      const command = { op: 'FailTask', task: taskId(id), fence, error, retryable } as const;
      return stateAnswer(id, await node.submit(command, { signal, idempotencyKey: header('idempotency-key') }));
    },
  }),
  route({
    method: 'POST',
    path: '/v1/tasks/:id/release',
    summary: 'The holder gives the task back without a penalty',
    params: idParams,
    query: noQuery,
    body: fenceBody,
    handle: async ({ params: { id }, body: { fence }, signal }) =>
      stateAnswer(id, await node.submit({ op: 'ReleaseTask', task: taskId(id), fence }, { signal })),
  }),
  route({
    method: 'POST',
    path: '/v1/tasks/:id/heartbeat',
    summary: 'The holder is still at it: renews its lease',
    params: idParams,
    query: noQuery,
    body: taskHeartbeatBody,
    handle: async ({ params: { id }, body: { fence, progress }, signal }) => ({
      body: await node.taskHeartbeat(taskId(id), fence, progress, { signal }),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/tasks/:id/retry',
    summary: 'Revive a dead, expired or cancelled task',
    params: idParams,
    query: noQuery,
    body: noBody,
    handle: async ({ params: { id }, header, signal }) =>
      stateAnswer(id, await node.submit({ op: 'RetryTask', task: taskId(id) }, { signal, idempotencyKey: header('idempotency-key') })),
  }),
];

async function submitOne(node: NodeService, body: TaskBody, key: string | undefined, signal: AbortSignal): Promise<Answer> {
  const command = submission(body, key);
  const { index, value } = done(await node.submit(command, { signal, idempotencyKey: key }));
  const isCreated = value.kind === 'task' && value.created;
  if (value.kind === 'task' && !isCreated) {
    const task = node.state().tasks.get(value.task);
    return {
      status: 200,
      headers: indexHeader(index),
      body: task === undefined ? { id: value.task, state: value.state, index } : { ...taskView(task), index: task.createdIndex },
    };
  }
  return {
    status: 201,
    headers: { ...indexHeader(index), location: `/v1/tasks/${command.task}` },
    body: { id: value.kind === 'task' ? value.task : command.task, state: 'pending', index },
  };
}

/** In order; one that is refused tells why in its place, the others are taken. */
async function submitMany(node: NodeService, bodies: readonly TaskBody[], key: string | undefined, signal: AbortSignal): Promise<Answer> {
  const keyOf = (i: number): string | undefined => (key === undefined ? undefined : `${key}/${i}`);
  const commands = bodies.map((body, i) => submission(body, keyOf(i)));
  const results = await Promise.all(commands.map((command, i) => node.submit(command, { signal, idempotencyKey: keyOf(i) })));
  const items = results.map((result, i) => {
    const id = commands[i]?.task;
    if (!result.ok) return { id, code: result.failure.code, detail: result.failure.detail };
    return {
      id: result.value.kind === 'task' ? result.value.task : id,
      state: result.value.kind === 'task' ? result.value.state : 'pending',
      index: result.index,
    };
  });
  return { headers: indexHeader(Math.max(...results.map((result) => result.index))), body: { items } };
}

/** Under an idempotency key the id is made from it, so that a repeat names the same task. */
function submission({ id, ...body }: TaskBody, key: string | undefined): Command & { readonly op: 'SubmitTask' } {
  const payload = JSON.stringify(body.payload);
  if (Buffer.byteLength(payload) > maxPayloadLength)
    throw new QuorateError(failure('too_large', `a payload is at most ${maxPayloadLength} bytes of JSON`));
  const digest = createHash('sha256').update(canonical(body)).digest('hex');
  const made = key === undefined ? randomUUID().replaceAll('-', '') : createHash('sha256').update(`task ${key}`).digest('hex').slice(0, 32);
  return { op: 'SubmitTask', ...body, task: taskId(id ?? made), payload, digest, swarm: body.swarm, deadlineMs: body.deadlineMs };
}

/** JSON with the fields of every object in order: the same body gives the same text, however it was written. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{${fields
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`)
    .join(',')}}`;
}

function stateAnswer(id: string, result: CommandResult): Answer {
  const { index, value } = done(result);
  return { headers: indexHeader(index), body: { id, state: value.kind === 'task' ? value.state : undefined, index } };
}
