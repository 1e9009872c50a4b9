import assert from 'node:assert/strict';
import test from 'node:test';
import { total } from './cart.mjs';

test('a few of a kind cost what they cost', () => {
  assert.equal(total([{ price: 250, count: 9 }]), 2250);
});

test('ten of a kind are a tenth cheaper', () => {
  assert.equal(total([{ price: 250, count: 10 }]), 2250);
  assert.equal(total([{ price: 250, count: 11 }]), 2475);
});
