/**
 * A server of many agents for `useChat`. An answer goes on when its reader leaves, and the reader comes back
 * by cursor; a message that is sent again is stored once; a turn whose server died is finished by the next
 * one. Put your own authentication in front: whoever knows an agent's id may talk to it here.
 *
 *   POST /agents                 { agentId?, metadata? } creates an agent
 *   POST /agents/:id/messages    what `DefaultChatTransport` sends; answers with a UI message stream
 *   GET  /agents/:id/stream      the answer under way, from its beginning, or ?since=CURSOR; 204 if there is none
 *   GET  /agents/:id             the conversation as UI messages
 *   POST /agents/:id/approvals   { toolCallId, approvalId?, approved, by?, note? } decides; the turn goes on
 *
 * In the browser: new DefaultChatTransport({ api: `/agents/${id}/messages` }), and for pages that are loaded in
 * the middle of an answer prepareReconnectToStreamRequest: () => ({ api: `/agents/${id}/stream` }). A message's
 * `metadata.cursor` says how far it is stored: a client of your own that lost the connection goes on with the
 * message as it was at that cursor, and with ?since=CURSOR.
 *
 * Run it: PORT=3000 npx tsx examples/chat-server.ts [DATABASE]
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { pipeUIMessageStreamToResponse } from 'ai';
import { z } from 'zod';
import {
  AgentBusyError,
  type AgentStreamPart,
  AlreadyDecidedError,
  ApprovalRequiredError,
  createExtendedStore,
  defineTool,
  LockTimeoutError,
  toUIMessageStream,
  toUIMessages,
} from '../src/index.ts';
import { answerId, beginningOf, followAnswer, goesOn, turnName } from './chat-server/answers.ts';
import { OpenAgents } from './chat-server/open-agents.ts';
import {
  approvalBody,
  check,
  createBody,
  cursorIn,
  errorAnswer,
  newsIn,
  RequestError,
  readJson,
} from './chat-server/requests.ts';
import { chooseModel } from './support/choose-model.ts';
import type { Script } from './support/scripted-model.ts';

const template = {
  id: 'shop',
  systemPrompt: 'You help the customers of a shop. Be brief.',
  tools: [
    defineTool({
      name: 'find_order',
      description: 'Looks up an order.',
      inputSchema: z.object({ order: z.number() }),
      execute: async ({ order }) => {
        await pause(100);
        return { order, paid: order * 2 };
      },
    }),
    defineTool({
      name: 'refund',
      description: 'Pays an order back.',
      inputSchema: z.object({ order: z.number() }),
      needsApproval: true,
      execute: async ({ order }) => {
        await pause(1_000);
        return `order ${order} is paid back`;
      },
    }),
  ],
};

/** What the model says when there is no key for a real one. */
const script: Script = ({ input, done }) => {
  const order = Number(/\d+/.exec(input)?.[0] ?? 0);
  const [found, refunded] = done;
  if (/count/i.test(input)) return { text: Array.from({ length: order }, (_, n) => n + 1).join(' ') };
  if (order === 0) return { text: `You said: ${input}` };
  if (found === undefined)
    return { text: 'I look it up.', calls: [{ tool: 'find_order', input: { order } }] };
  if (!/refund/i.test(input)) return { text: `Order ${order}: ${found.result}` };
  if (refunded === undefined) return { calls: [{ tool: 'refund', input: { order } }] };
  return {
    text: refunded.failed ? `It can't be paid back: ${refunded.result}` : `Done: ${refunded.result}.`,
  };
};

const [dbPath = './data/chat-server.db'] = process.argv.slice(2);
const { PORT = '0', HOST = '127.0.0.1', IDLE_MS = '60000', GRACE_MS = '10000' } = process.env;
/** How often this server looks for turns whose server died. */
const PICK_UP_MS = 2_000;

const provider = await chooseModel(script);
const store = await createExtendedStore({ type: 'sqlite', dbPath });
const agents = new OpenAgents({ store, provider, template, idleMs: Number(IDLE_MS) });
const stopping = new AbortController();

type Handler = (request: IncomingMessage, response: ServerResponse, id: string, url: URL) => Promise<void>;

const routes: Record<string, Handler> = {
  'POST /agents': async (request, response) => {
    const { agentId, metadata } = check(createBody, await readJson(request));
    sendJson(response, 201, { agentId: await agents.create(agentId, metadata) });
  },

  'GET /agents/:id': async (_request, response, id) => {
    const { info, messages, toolCalls } = await store.loadAgent(id);
    const approvals = toolCalls.filter(({ state }) => state === 'approval_required');
    sendJson(response, 200, {
      agentId: id,
      status: info.status,
      messages: toUIMessages(messages, { toolCalls }),
      approvals: approvals.map(({ toolCallId, callSeq, toolName, input }) => {
        return { toolCallId, approvalId: String(callSeq), toolName, input };
      }),
    });
  },

  'POST /agents/:id/messages': async (request, response, id) => {
    const news = newsIn(await readJson(request));
    if ('decisions' in news) {
      for (const { toolCallId, ...decision } of news.decisions) {
        await store.decideApproval(id, toolCallId, decision).catch(unless(AlreadyDecidedError));
      }
      const parts = await agents.begin(id, (agent) => agent.stream());
      return parts && sendParts(response, id, parts);
    }
    const operationId = turnName(news.id);
    const turn = agents.begin(id, (agent) => agent.stream(news.content, { operationId }));
    const parts = await turn.catch(unless(AgentBusyError, ApprovalRequiredError));
    if (parts !== undefined) return sendParts(response, id, parts);
    // A message that was sent again, while its answer is written or after that: here is the answer.
    const sent = await beginningOf(store, id, news.id);
    await (sent === undefined ? turn : sendAnswer(response, id, sent));
  },

  'GET /agents/:id/stream': async (_request, response, id, url) => {
    const since = cursorIn(url);
    if (await goesOn(store, id, since))
      await sendAnswer(response, id, since ?? (await beginningOf(store, id)));
    else response.writeHead(204).end();
  },

  'POST /agents/:id/approvals': async (request, response, id) => {
    const { toolCallId, approvalId, approved, ...by } = check(approvalBody, await readJson(request));
    const decision = approved ? 'allow' : 'deny';
    // Whoever holds the agent, a decision needs no lease.
    const call = await store.decideApproval(id, toolCallId, { decision, callSeq: approvalId, ...by });
    const waiting = await store.queryToolCalls({ agentId: id, state: 'approval_required', limit: 1 });
    if (waiting.length === 0) {
      const turn = agents.begin(id, (agent) => agent.stream());
      await turn.catch(unless(AgentBusyError, LockTimeoutError));
    }
    sendJson(response, 200, { toolCallId, approvalId: String(call.callSeq), state: call.state });
  },
};

/** Passes over errors of these classes. */
function unless(...classes: (new (...args: never[]) => Error)[]): (error: unknown) => undefined {
  return (error) => {
    if (!classes.some((one) => error instanceof one)) throw error;
  };
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url, names } = parse(request.url);
  const [, id = '', ...rest] = names;
  const route = [`${request.method} /${names[0]}`, ...(names.length > 1 ? [':id'] : []), ...rest].join('/');
  const handler = routes[route];
  if (handler === undefined) throw new RequestError(404, `There is no ${request.method} ${url.pathname}.`);
  await handler(request, response, id, url);
}

function parse(path = '/'): { url: URL; names: string[] } {
  try {
    const url = new URL(path, 'http://localhost');
    return { url, names: url.pathname.slice(1).split('/').map(decodeURIComponent) };
  } catch {
    throw new RequestError(400, 'The URL is malformed.');
  }
}

async function sendParts(
  response: ServerResponse,
  id: string,
  parts: AsyncIterable<AgentStreamPart>,
): Promise<void> {
  const stream = toUIMessageStream(parts, { messageId: await answerId(store, id) });
  await pipeUIMessageStreamToResponse({ response, stream, keepAliveMs: 15_000 });
}

/** What is stored of an answer after a cursor, and what comes. */
function sendAnswer(response: ServerResponse, id: string, since: number | undefined): Promise<void> {
  const left = new AbortController();
  response.once('close', () => left.abort());
  const signal = AbortSignal.any([left.signal, stopping.signal]);
  return sendParts(response, id, followAnswer(store, id, since, signal));
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

const server = createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    const { status, body } = errorAnswer(error);
    if (status >= 500) console.error(error);
    if (response.headersSent) response.destroy();
    else sendJson(response, status, body);
  });
});

function stop(): void {
  server.close();
  stopping.abort();
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
server.listen(Number(PORT), HOST, () => {
  const address = server.address();
  console.log(`Listening on http://${HOST}:${typeof address === 'object' ? address?.port : address}`);
});
while (!stopping.signal.aborted) {
  await agents.pickUp().catch((error: unknown) => console.error(error));
  await pause(PICK_UP_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
}
// Turns under way may end, all agents are given back, and what was written may arrive.
await agents.close(Number(GRACE_MS));
await store.close();
setTimeout(() => server.closeAllConnections(), 1_000).unref();
