/**
 * The rows of a catalog group: their keys and the shapes of their values.
 *
 * | key                                            | row                                                           |
 * |------------------------------------------------|---------------------------------------------------------------|
 * | `b/<bucketId>`                                 | state of a bucket in this group, numbers of objects, uploads   |
 * | `o/<bucketId>/<key>`                           | current version of a key                                      |
 * | `x/<bucketId>/<key>`                           | delete marker that is current: the key has no `o` row then     |
 * | `v/<bucketId>/<key'>00<newest first><id>`      | noncurrent version or delete marker of a key                   |
 * | `w/<bucketId>/<key'>00<versionId>`             | where in `v` a version or marker lies                          |
 * | `n/<bucketId>/<key>`                           | where in `v` the null version of a key lies                    |
 * | `e/<versionId>`                                | extents of a version that has many                            |
 * | `d/<blobId>`, `i/<blobId>`                     | sharded blob and its holders; inline blob with its bytes       |
 * | `u/<bucketId>/<key'>00<uploadId>`              | upload in progress                                            |
 * | `p/<bucketId>/<key'>00<uploadId>/<partNumber>` | part of it                                                    |
 * | `c/<bucketId>/<key'>00<uploadId>`, `r/<slot>`  | answer of a completed upload; ring that bounds how many        |
 * | `g/<blobId>`                                   | dead blob whose holders have not all confirmed its deletion    |
 * | `a/<id>`                                       | fence: this blob, empty version or upload is dead for good     |
 * | `t/<eventId>`, `t`                             | event that waits to be told to its targets; how many there are |
 * | `m`                                            | counter of the ring                                           |
 *
 * Invariants: every blob named by a version or part has its `d` or `i` row, and that row is named by nothing else; a
 * blob has either that row, or a fence, or neither (not yet written), never both; a `g` row has a fence.
 *
 * Ids are hex without slashes, so nothing that a client sends can leave its bucket. `<key'>` is the key with U+0000
 * written as U+0000 U+0001, closed by U+0000 U+0000: keys sort by their bytes, and no key runs into another.
 *
 * A key with `v` rows has an `o` or `x` row, which is newer than all of them; each `v` row has its `w` row, and an `n`
 * row if it is not versioned. A bucket in which versioning was never on has no `x`, `v`, `w`, `n` rows, and no command
 * looks for them. Extents and blobs hang on version id and blob id and do not move when a version does.
 */
import type { WriteRules } from './bucket-configuration.ts'
import type {
  CatalogReplies,
  DeleteMarker,
  Extent,
  InlineBlob,
  Part,
  ShardedBlob,
  StoredEvent,
  Upload,
  Version,
} from './catalog-types.ts'

/** The bounds of the catalog, each with its reason. */
export const catalogLimits = {
  /** S3's limit for object keys. */
  keyBytesMax: 1024,
  /** S3's limit for part numbers, and so for the extents of a version. */
  partNumberMax: 10_000,
  /** A blob is at most one part, S3's 5 GiB, and its authentication tags. */
  blobBytesMax: 6 * 2 ** 30,
  /** Inline bytes are stored on every replica and go through Raft: small objects only, far above any sensible setting. */
  inlineBytesMax: 256 * 1024,
  /** Shard indices are one byte in shard files. */
  shardsMax: 256,
  /** S3's 2 KB of user metadata, each entry having a name and a value; generous for system headers. */
  metadataBytesMax: 8 * 1024,
  metadataEntriesMax: 256,
  /** Versions with more extents keep them apart, so that listings read small rows. */
  extentsInRowMax: 4,
  /** Answers of completed uploads kept per group for clients that ask again; at 10 uploads/s enough for 7 minutes. */
  completedUploadsMax: 4096,
  /** Ids in one abandon-blobs, forget-garbage, forget-fences or find-blobs: keeps an entry below 100 KB. */
  idsMax: 1000,
  /** Entries of one page of a listing: S3's 1,000 and room for internal callers. */
  pageMax: 10_000,
  /** Events that wait to be told, per group: a day of a busy federation, 25 MB of rows. */
  eventsMax: 50_000,
  /** Fences younger than this are kept: no proposal naming the id can be under way for so long (30 days). */
  fenceMsMin: 30 * 24 * 60 * 60 * 1000,
} as const

export interface BucketRow {
  readonly state: 'open' | 'closed'
  /** The highest attempt of the registry that has opened or closed it here. */
  readonly attempt: number
  /** `o` rows. */
  readonly objectCount: number
  readonly uploadCount: number
  /** `v` and `x` rows. Absent: 0. */
  readonly versionCount?: number
  /** Plaintext bytes of all versions and parts. Absent: 0; what was written before this was counted is not in it. */
  readonly storedBytes?: number
  /** Absent: `initialWriteRules`. */
  readonly rules?: WriteRules
}

export interface ObjectRow {
  /** With `extents: []` when they lie in the `e` row. */
  readonly version: Version
  readonly extentsApart: boolean
  /** Whether it replaced another version: part of the answer to a repeated put-version. */
  readonly replaced: boolean
}

export interface MarkerRow {
  readonly marker: DeleteMarker
  /** Whether it replaced a version: part of the answer to a repeated delete-object. */
  readonly replaced: boolean
}

/** What a key has: versions and markers, current or not. */
export type HistoryRow = ObjectRow | MarkerRow

/** A noncurrent one, with the time from which it is not current. */
export type NoncurrentRow = HistoryRow & { readonly noncurrentMs: number }

/** The `modifiedMs` that the key of a `v` row is made of. */
export interface PlaceRow {
  readonly modifiedMs: number
}

export interface NullPlaceRow extends PlaceRow {
  readonly versionId: string
}

export interface ExtentsRow {
  readonly extents: readonly Extent[]
}

/** `bucketId`, `key`: which object needs the blob, for people who look at a damaged one. */
export interface ShardedBlobRow {
  readonly blob: ShardedBlob
  readonly bucketId: string
  readonly key: string
  /** Moves of shards that were announced and not yet made; at most one a shard. */
  readonly claims?: readonly ShardClaim[]
}

export interface ShardClaim {
  readonly shardIndex: number
  readonly to: string
  readonly claimId: string
}

export interface InlineBlobRow {
  readonly blob: InlineBlob
  readonly bucketId: string
  readonly key: string
}

export interface UploadRow {
  readonly upload: Upload
}

export interface PartRow {
  readonly part: Part
}

export interface CompletedRow {
  readonly reply: CatalogReplies['complete-upload']
}

/** Which completed row occupies this place of the ring. */
export interface RingRow {
  readonly completed: string
}

export interface MetaRow {
  /** Uploads completed so far in this group. */
  readonly completed: number
}

export interface GarbageRow {
  /** Holder of shard i. */
  readonly holders: readonly string[]
  readonly generation: number
  readonly sinceMs: number
}

export interface FenceRow {
  readonly sinceMs: number
  /** The answer of the command that wrote a version or marker, for when it is repeated after the end of that. */
  readonly ended?: EndedVersion
}

export interface EventRow {
  readonly event: StoredEvent
}

export interface EventTallyRow {
  /** `t/` rows. */
  readonly kept: number
  /** Events that found no room. */
  readonly dropped: number
}

export interface EndedVersion {
  readonly versionId: string
  readonly modifiedMs: number
  readonly replaced: boolean
  readonly versioned?: true
}

/** A key of a bucket. */
export interface KeyName {
  readonly bucketId: string
  readonly key: string
}

/** Where the rows of an upload lie: its key and id within a bucket. */
export interface UploadName {
  readonly bucketId: string
  readonly key: string
  readonly uploadId: string
}

const terminator = '\u0000\u0000'

/** A key as it is written into composite row keys, without the terminator: a prefix of a key stays one. */
export function escapeKey(key: string): string {
  return key.includes('\u0000') ? key.replaceAll('\u0000', '\u0000\u0001') : key
}

export const rowKeys = {
  meta: 'm',
  bucket: (bucketId: string) => `b/${bucketId}`,
  object: (bucketId: string, key: string) => `o/${bucketId}/${key}`,
  marker: ({ bucketId, key }: KeyName) => `x/${bucketId}/${key}`,
  noncurrent: (name: KeyName, at: { modifiedMs: number; versionId: string }) =>
    `v/${keyPath(name)}${newestFirst(at.modifiedMs)}${at.versionId}`,
  /** Prefix of all noncurrent versions and markers of a key. */
  historyOf: (name: KeyName) => `v/${keyPath(name)}`,
  place: (name: KeyName, versionId: string) => `w/${keyPath(name)}${versionId}`,
  nullPlace: ({ bucketId, key }: KeyName) => `n/${bucketId}/${key}`,
  extents: (versionId: string) => `e/${versionId}`,
  shardedBlob: (blobId: string) => `d/${blobId}`,
  inlineBlob: (blobId: string) => `i/${blobId}`,
  upload: (name: UploadName) => `u/${uploadPath(name)}`,
  /** Uploads of one key. */
  uploadsOf: (bucketId: string, key: string) => `u/${bucketId}/${escapeKey(key)}${terminator}`,
  part: (name: UploadName, partNumber: number) =>
    `p/${uploadPath(name)}/${String(partNumber).padStart(partDigits, '0')}`,
  /** Prefix of all parts of an upload. */
  partsOf: (name: UploadName) => `p/${uploadPath(name)}/`,
  completed: (name: UploadName) => `c/${uploadPath(name)}`,
  ring: (slot: number) => `r/${slot}`,
  garbage: (blobId: string) => `g/${blobId}`,
  fence: (id: string) => `a/${id}`,
  event: (eventId: string) => `t/${eventId}`,
  eventTally: 't',
} as const

/** The prefixes under which rows of a kind lie, for scans. */
export const rowFamilies = {
  bucket: 'b/',
  shardedBlob: 'd/',
  garbage: 'g/',
  fence: 'a/',
  event: 't/',
  objectsOf: (bucketId: string) => `o/${bucketId}/`,
  markersOf: (bucketId: string) => `x/${bucketId}/`,
  historiesOf: (bucketId: string) => `v/${bucketId}/`,
  uploadsIn: (bucketId: string) => `u/${bucketId}/`,
} as const

const stampDigits = Number.MAX_SAFE_INTEGER.toString(16).length
const partDigits = String(catalogLimits.partNumberMax).length

function uploadPath(name: UploadName): string {
  return keyPath(name) + name.uploadId
}

function keyPath({ bucketId, key }: KeyName): string {
  return `${bucketId}/${escapeKey(key)}${terminator}`
}

/** A time as text of one length that sorts the later the earlier the time is. */
function newestFirst(modifiedMs: number): string {
  return (Number.MAX_SAFE_INTEGER - modifiedMs).toString(16).padStart(stampDigits, '0')
}
