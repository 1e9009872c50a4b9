import { expect, it } from 'vitest';
import { createAnthropic } from '../../node_modules/@ai-sdk/anthropic/dist/index.mjs';
import { loadSdk } from '../../src/agent/sdk.ts';
import { create, says, test } from '../agent/harness.ts';
import { modelAt } from '../agent/provider/provider.ts';
import { startChild } from '../support/child.ts';

// Part of the second run only (test/ai7/vitest.config.ts): nothing else would notice if it tested the same
// packages as the first.

it('tests the agent with the packages of this folder', async () => {
  // Of the two versions only this one has it.
  expect(await loadSdk()).toHaveProperty('isStepCount');
  expect(modelAt('anthropic', 'http://localhost').specificationVersion).toBe('v4');
});

it('gives them to the processes that tests start', async () => {
  const child = startChild(new URL('./packages.child.ts', import.meta.url));
  expect(await child.rest()).toEqual(['isStepCount: true', 'v4']);
});

test('a model of the version before runs with this one of the SDK', async ({ store, provider }) => {
  const { url } = await provider([says('Hello.')]);
  const model = createAnthropic({ baseURL: `${url}/v1`, apiKey: 'test-key' })('claude-sonnet-4-5');
  expect(model.specificationVersion).toBe('v3');
  expect(await (await create(store, { model })).send('Hi')).toBe('Hello.');
});
