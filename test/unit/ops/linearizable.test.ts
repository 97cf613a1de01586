import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLinearizable, type RegisterOperation } from '../../workload/linearizable.ts'

function write(value: string | undefined, startMs: number, endMs: number): RegisterOperation {
  return { kind: 'write', value, startMs, endMs }
}
function read(value: string | undefined, startMs: number, endMs: number): RegisterOperation {
  return { kind: 'read', value, startMs, endMs }
}

test('reads of the last answered write are linearizable', () => {
  assert.equal(isLinearizable([write('a', 0, 1), read('a', 2, 3), write('b', 4, 5), read('b', 6, 7)]), true)
})

test('a read that misses an answered write is not', () => {
  assert.equal(isLinearizable([write('a', 0, 1), read(undefined, 2, 3)]), false)
  assert.equal(isLinearizable([write('a', 0, 1), write('b', 2, 3), read('a', 4, 5)]), false)
})

test('a read during a write may see either value, but time does not run backwards afterwards', () => {
  assert.equal(isLinearizable([write('a', 0, 1), write('b', 2, 9), read('a', 3, 4), read('b', 5, 6)]), true)
  assert.equal(isLinearizable([write('a', 0, 1), write('b', 2, 9), read('b', 3, 4), read('a', 5, 6)]), false)
})

test('a write without an answer may happen late or never, but not twice', () => {
  const unanswered = write('u', 0, Infinity)
  assert.equal(isLinearizable([unanswered, write('a', 1, 2), read('a', 3, 4)]), true)
  assert.equal(isLinearizable([unanswered, write('a', 1, 2), read('u', 3, 4)]), true)
  const twice = [unanswered, write('a', 1, 2), read('u', 3, 4), write('b', 5, 6), read('u', 7, 8)]
  assert.equal(isLinearizable(twice), false)
})

test('a value that nobody wrote is never linearizable', () => {
  assert.equal(isLinearizable([write('a', 0, 1), read('x', 0, 9)]), false)
})

test('a long history of one writer and three readers is decided', () => {
  const history: RegisterOperation[] = []
  for (let step = 0; step < 400; step += 1) {
    const at = step * 10
    history.push(write(`v${step}`, at, at + 9))
    for (let reader = 0; reader < 3; reader += 1) history.push(read(`v${step}`, at + 5, at + 12))
  }
  assert.equal(isLinearizable(history), true)
  assert.equal(isLinearizable([...history, read('v17', 5_000, 5_001)]), false)
})
