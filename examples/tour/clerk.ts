import { appendFile, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { type AgentTemplate, defineTool } from '../../src/index.ts';
import { inside, listInside, writeInside } from './folder.ts';

/** The printer is slow, so that there is time to kill the process that prints. */
const LABEL_MS = 400;

const listFiles = defineTool({
  name: 'list_files',
  description: 'Lists the files and folders in a folder of the shop. The shop itself is ".".',
  inputSchema: z.object({ folder: z.string() }),
  idempotent: true,
  execute: ({ folder }, { agentId }) => listInside(agentId, folder),
});

const readAFile = defineTool({
  name: 'read_file',
  description: "Reads one of the shop's files.",
  inputSchema: z.object({ path: z.string() }),
  idempotent: true,
  execute: ({ path }, { agentId }) => readFile(inside(agentId, path), 'utf8'),
});

const writeAFile = defineTool({
  name: 'write_file',
  description: "Writes one of the shop's files, whole.",
  inputSchema: z.object({ path: z.string(), content: z.string() }),
  idempotent: true,
  execute: async ({ path, content }, { agentId }) => {
    await writeInside(agentId, path, content);
    return `wrote ${path}`;
  },
});

const printLabels = defineTool({
  name: 'print_labels',
  description:
    'Prints the address labels of orders, one after another, which takes a while. Each label that is printed adds a line to printed.txt.',
  inputSchema: z.object({ orders: z.array(z.number()) }),
  // Not idempotent: to print a label twice is a mistake.
  execute: async ({ orders }, { agentId, emit, signal }) => {
    for (const order of orders) {
      await pause(LABEL_MS, undefined, { signal });
      const text = await readFile(inside(agentId, `orders/${order}.txt`), 'utf8');
      const address = text.slice(text.indexOf('To: ') + 4).trim();
      await appendFile(inside(agentId, 'printed.txt'), `${order}: ${address}\n`);
      // Events are seen at once by whoever follows the agent, in any process.
      await emit({ channel: 'progress', type: 'label-printed', order });
    }
    return { printed: orders.length };
  },
});

const refund = defineTool({
  name: 'refund',
  description: 'Pays money back to the customer of an order. Somebody has to allow it.',
  inputSchema: z.object({ order: z.number(), amount: z.number() }),
  needsApproval: true,
  execute: async ({ order, amount }, { agentId }) => {
    await appendFile(inside(agentId, 'refunds.txt'), `${order}: ${amount.toFixed(2)}\n`);
    return { order, refunded: amount };
  },
});

/** The clerk of a print shop. */
export const clerk: AgentTemplate = {
  id: 'clerk',
  systemPrompt: `You are the clerk of a small print shop and work with the shop's files and tools.
Do what you are asked with the tools, without asking back, and then answer in one or two short sentences.
When a call was cut off, find out from the files what it had done, and do only what is missing.
When somebody denies a call, don't ask for it again: follow the reason that they give.`,
  tools: [listFiles, readAFile, writeAFile, printLabels, refund],
  maxSteps: 15,
};

export const SURVEY =
  'Which orders lie in the folder orders? Read them all and tell me how many there are and for whom.';
export const PRINT = 'Print the labels of all these orders, with one call of print_labels.';
export const COMPLAINT =
  'There is a complaint in letters/1043.txt. Pay back what it asks for, then write your answer to the customer to replies/1043.txt.';
