import { expect } from 'vitest';
import { ModelError } from '../../src/index.ts';
import { create, failureOf, test } from '../agent/harness.ts';
import { createAnthropic } from './node_modules/@ai-sdk/anthropic/dist/index.js';

test('a model of the next version, with this one of the SDK: the error says what to install', async ({
  store,
}) => {
  const agent = await create(store, { model: createAnthropic({ apiKey: 'test-key' })('claude-sonnet-4-5') });
  const failure = await failureOf(agent.send('Hi'));
  expect(failure).toBeInstanceOf(ModelError);
  expect(failure).toMatchObject({ message: expect.stringMatching(/models of specification v3 with ai 6/) });
});
