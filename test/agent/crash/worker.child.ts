import { createAnthropic } from '@ai-sdk/anthropic';
import { Agent } from '../../../src/agent/agent.ts';
import { pause } from '../../../src/testing/timing.ts';
import { TTL_MS, writerTemplate } from './life.ts';
import { openAt, type Place } from './place.ts';

export interface WorkerPlan {
  place: Place;
  providerUrl: string;
  /** How many agents it works on at a time. */
  hands: number;
  directories: Record<string, string>;
}

// Works on whatever can go on and nobody works on, for ever.
const { place, providerUrl, hands, directories }: WorkerPlan = JSON.parse(process.argv[2] ?? '');
const provider = createAnthropic({ baseURL: `${providerUrl}/v1`, apiKey: 'test-key' })('claude-sonnet-4-5');
const store = await openAt(place);

async function work(): Promise<never> {
  for (;;) {
    const [lease] = await store.claimResumable({ limit: 1, ttlMs: TTL_MS });
    if (lease === undefined) {
      await pause(100);
      continue;
    }
    const { agentId } = lease;
    const template = writerTemplate({ directory: directories[agentId] ?? '' });
    const agent = await Agent.resume(agentId, { provider, store, template, lease });
    const { status } = await agent.run();
    await agent.close();
    console.log(`${agentId} ${status}`);
  }
}

await Promise.all(Array.from({ length: hands }, work));
