// Loaded by `node --import` into processes that tests start: the project's own modules get the packages of
// this folder, as test/ai7/vitest.config.ts gives them to the tests themselves.
import { createRequire, registerHooks } from 'node:module';

const { dependencies } = createRequire(import.meta.url)('./package.json');
const names = Object.keys(dependencies);

registerHooks({
  resolve(specifier, context, nextResolve) {
    const isNamed = names.some((name) => specifier === name || specifier.startsWith(`${name}/`));
    const isOwn = !context.parentURL?.includes('/node_modules/');
    return nextResolve(specifier, isNamed && isOwn ? { ...context, parentURL: import.meta.url } : context);
  },
});
