/**
 * Which catalog group a key belongs to: key -> one of 256 slots -> group, as the cluster map says.
 *
 * Invariant: the slot of a key never changes; moving a slot between groups is a change of the map. All versions,
 * uploads and parts of a key live in its group, so that one Raft group decides everything about a key.
 */
import type { ClusterMap } from './cluster-map.ts'
import { hash32 } from './hash.ts'
import { invariant } from './invariant.ts'

/** Fixed for good: it is the length of `ClusterMap.slots`, 8 bits leave room for more groups than sites. */
export const slotCount = 256

/**
 * The slot of an object key, 0..255: MurmurHash3 of `<bucketId>/<key>`.
 *
 * @param bucketId lower-case hex, so that the slash cannot be part of it
 * @param key well-formed UTF-16, any characters
 */
export function slotOf(bucketId: string, key: string): number {
  return hash32(`${bucketId}/${key}`) & (slotCount - 1)
}

/** The catalog group that decides about a key. Asserts that the map has an entry for every slot. */
export function groupOf(map: Pick<ClusterMap, 'slots'>, at: { bucketId: string; key: string }): string {
  const groupId = map.slots[slotOf(at.bucketId, at.key)]
  invariant(groupId !== undefined, `cluster map names a group for each of ${slotCount} slots`)
  return groupId
}

/** The catalog groups that slots point to, each once, in the order of their first slot: all must be asked by a listing. */
export function groupsOf(map: Pick<ClusterMap, 'slots'>): readonly string[] {
  return [...new Set(map.slots)]
}
