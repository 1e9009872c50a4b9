import type { DoneCall, Script, ScriptedAnswer } from '../support/scripted-model.ts';
import { COMPLAINT, PRINT, SURVEY } from './clerk.ts';
import { ORDER_NUMBERS } from './folder.ts';

/** What the clerk does when there is no key for a real model. Like one, it goes by the results of its calls. */
export const clerkScript: Script = ({ input, done }) => {
  if (input === SURVEY) return survey(done);
  if (input === PRINT) return print(done);
  if (input === COMPLAINT) return complaint(done);
  return { text: 'I know only what belongs to this tour.' };
};

function survey(done: DoneCall[]): ScriptedAnswer {
  const [list, ...read] = done;
  if (list === undefined) return call('list_files', { folder: 'orders' });
  if (read.length === 0) {
    const paths: string[] = JSON.parse(list.result);
    return { calls: paths.map((path) => ({ tool: 'read_file', input: { path } })) };
  }
  const names = read.map(({ result }) => /To: ([^,]+),/.exec(result)?.[1] ?? 'somebody');
  return { text: `There are ${names.length} orders: for ${names.join(', ')}.` };
}

function print(done: DoneCall[]): ScriptedAnswer {
  const last = done.at(-1);
  if (last === undefined) return call('print_labels', { orders: ORDER_NUMBERS });
  if (last.tool === 'print_labels' && last.failed) return call('read_file', { path: 'printed.txt' });
  if (last.tool === 'read_file') {
    const missing = ORDER_NUMBERS.filter((order) => !last.result.includes(`${order}: `));
    if (missing.length > 0) return call('print_labels', { orders: missing });
  }
  const cutOff = done.some(({ failed }) => failed);
  return { text: `All labels are printed${cutOff ? ', and none of them twice' : ''}.` };
}

function complaint(done: DoneCall[]): ScriptedAnswer {
  const last = done.at(-1);
  if (last === undefined) return call('read_file', { path: 'letters/1043.txt' });
  if (last.tool === 'read_file') {
    const amount = Number(/paid (\d+\.\d\d)/.exec(last.result)?.[1]);
    return { text: 'The print came torn.', ...call('refund', { order: 1043, amount }) };
  }
  const refund = done.find(({ tool }) => tool === 'refund');
  const offer = refund?.failed ? 'a new print is on its way to you' : 'your money is on its way back to you';
  if (last.tool === 'write_file') return { text: `I wrote to the customer: ${offer}.` };
  const content = `Dear Cleo Hart, we are sorry that your print came torn: ${offer}.\n`;
  return call('write_file', { path: 'replies/1043.txt', content });
}

function call(tool: string, input: Record<string, unknown>): ScriptedAnswer {
  return { calls: [{ tool, input }] };
}
