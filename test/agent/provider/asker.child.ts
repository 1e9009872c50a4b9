import { ask, KINDS } from './collect.ts';
import { modelAt } from './provider.ts';

// Asks the model at an address for an answer, and prints what arrives.
const [name, url = ''] = process.argv.slice(2);
const kind = KINDS.find((one) => one === name);
if (!kind) throw new Error(`There is no kind ${name}.`);
await ask(
  { model: modelAt(kind, url) },
  {
    onPart: (part) => {
      if (part.type === 'text-delta') console.log(part.text);
    },
  },
);
