import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

// npm puts this folder in front of the PATH of every script, installation scripts among them: a package with
// a `node` of its own there would build drivers for it, and run `npm test` and `npm start`. The lockfile
// places the Node.js of the second run in test/ai7/node_modules, where no script finds it by its name.
it("installs no package's Node.js in place of the user's", () => {
  const commands = readdirSync(fileURLToPath(new URL('../../node_modules/.bin', import.meta.url)));
  expect(commands.filter((name) => /^node(\.|$)/.test(name))).toEqual([]);
});
