/**
 * The rows of a catalog group: their keys and the shapes of their values.
 *
 * | key                                            | row                                                           |
 * |------------------------------------------------|---------------------------------------------------------------|
 * | `b/<bucketId>`                                 | state of a bucket in this group, numbers of objects, uploads   |
 * | `o/<bucketId>/<key>`                           | current version of a key                                      |
 * | `e/<versionId>`                                | extents of a version that has many                            |
 * | `d/<blobId>`, `i/<blobId>`                     | sharded blob and its holders; inline blob with its bytes       |
 * | `u/<bucketId>/<key'>00<uploadId>`              | upload in progress                                            |
 * | `p/<bucketId>/<key'>00<uploadId>/<partNumber>` | part of it                                                    |
 * | `c/<bucketId>/<key'>00<uploadId>`, `r/<slot>`  | answer of a completed upload; ring that bounds how many        |
 * | `g/<blobId>`                                   | dead blob whose holders have not all confirmed its deletion    |
 * | `a/<id>`                                       | fence: this blob, empty version or upload is dead for good     |
 * | `m`                                            | counter of the ring                                           |
 *
 * Invariants: every blob named by a version or part has its `d` or `i` row, and that row is named by nothing else; a
 * blob has either that row, or a fence, or neither (not yet written), never both; a `g` row has a fence.
 *
 * Ids are hex without slashes, so nothing that a client sends can leave its bucket. `<key'>` is the key with U+0000
 * written as U+0000 U+0001, closed by U+0000 U+0000: keys sort by their bytes, and no key runs into another.
 *
 * Later, without migration: noncurrent versions and delete markers go to `v/<bucketId>/<key'>00<newest first>`, the
 * current one stays in `o`; retention and legal hold are further fields of a version (either row), defaults and the
 * versioning state further fields of `b`. Extents and blobs hang on version id and blob id and do not move.
 */
import type { WriteRules } from './bucket-configuration.ts'
import type {
  CatalogReplies,
  Extent,
  InlineBlob,
  Part,
  ShardedBlob,
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
  /** Fences younger than this are kept: no proposal naming the id can be under way for so long (30 days). */
  fenceMsMin: 30 * 24 * 60 * 60 * 1000,
} as const

export interface BucketRow {
  readonly state: 'open' | 'closed'
  /** The highest attempt of the registry that has opened or closed it here. */
  readonly attempt: number
  readonly objectCount: number
  readonly uploadCount: number
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
  /** The answer of the put-version that wrote it, for when that is repeated after the version's end. */
  readonly ended?: CatalogReplies['put-version']
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
} as const

/** The prefixes under which rows of a kind lie, for scans. */
export const rowFamilies = {
  bucket: 'b/',
  shardedBlob: 'd/',
  garbage: 'g/',
  fence: 'a/',
  objectsOf: (bucketId: string) => `o/${bucketId}/`,
  uploadsIn: (bucketId: string) => `u/${bucketId}/`,
} as const

const partDigits = String(catalogLimits.partNumberMax).length

function uploadPath({ bucketId, key, uploadId }: UploadName): string {
  return `${bucketId}/${escapeKey(key)}${terminator}${uploadId}`
}
