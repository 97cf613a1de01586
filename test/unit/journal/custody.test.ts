import assert from 'node:assert/strict'
import { test } from 'node:test'
import { custodyOf } from '../../../ops/cli/journal-verify.ts'

const events = [
  { kind: 'create-upload', key: 'k', uploadId: 'e1' },
  { kind: 'put-part', key: 'k', uploadId: 'e1', blob: { blobId: 'b1' } },
  { kind: 'complete-upload', key: 'k', uploadId: 'e1', versionId: 'f1' },
  { kind: 'put-version', key: 'k', versionId: 'f2', blobs: [{ blobId: 'b2' }] },
  { kind: 'amend-version', key: 'k', versionId: 'f2', change: 'legal-hold', on: true },
  { kind: 'relocate-shard', blobId: 'b2' },
  { kind: 'delete-object', key: 'k', markerId: 'd1' },
  { kind: 'delete-version', key: 'k', versionId: 'd1' },
  { kind: 'delete-version', key: 'k', versionId: 'f1' },
  { kind: 'put-version', key: 'other', versionId: 'f3', blobs: [] },
]

/** Places of the events that belong to the record. */
function recordOf(name: string): number[] {
  const belongs = custodyOf(name)
  return [...events.keys()].filter((at) => belongs(events[at] ?? {}))
}

test('the custody record of a version has its amendments, its blobs and its end, and nothing of other versions', () => {
  assert.deepEqual(recordOf('f2'), [3, 4, 5])
  assert.deepEqual(recordOf('f1'), [2, 8])
})

test('a delete marker is found by its id, from its making to its removal', () => {
  assert.deepEqual(recordOf('d1'), [6, 7])
})

test('the record of a key has all its versions and markers', () => {
  assert.deepEqual(recordOf('k'), [0, 1, 2, 3, 4, 5, 6, 7, 8])
})
