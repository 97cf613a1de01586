/**
 * Every bound of the S3 front, with its reason. AWS's documented limits stand beside our own.
 */
const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

export const gatewayLimits = {
  /** Request line and headers together: a 1,024-byte key percent-encoded, 2 KiB of metadata, a presigned query. */
  headerBytesMax: 16 * KiB,
  /** Headers a request; node's own default is 2,000. */
  headerCountMax: 200,
  /** A client that connects and does not finish its headers holds a socket no longer than this. */
  headersTimeoutMs: 20_000,
  /** Idle connections between requests: longer than SDK pools keep theirs, so that clients close first. */
  keepAliveTimeoutMs: 75_000,
  /** A gateway that is told to stop lets running requests end for so long. */
  closeGraceMs: 30_000,
  /** Requests served at once; beyond: 503 SlowDown. Bounds memory: each holds at most `bodyQueueBytesMax`. */
  requestsInFlightMax: 512,
  /** Seconds told to a client that is asked to come back. */
  retryAfterSeconds: 1,
  /** Bytes of one request body read ahead of the store. */
  bodyQueueBytesMax: 256 * KiB,
  /** A body that sends nothing for so long while the store wants more: RequestTimeout. */
  bodyIdleMs: 30_000,
  /** A reader that takes nothing for so long is cut off: its response holds shards' connections open. */
  responseIdleMs: 120_000,
  /** The rest of an unread body that is read and dropped to keep the connection. */
  drainBytesMax: 256 * KiB,
  /** The rest of an unread body that is read and dropped so that the client sees the error, before the connection closes. */
  lingerBytesMax: 32 * MiB,
  /** For both of the above. */
  lingerMs: 10_000,
  /** After so long without a result, a slow operation's answer begins and is kept alive by white space. */
  slowAnswerMs: 10_000,
  /** AWS: largest object in one PUT, part or copy. */
  objectBytesMax: 5 * GiB,
  /** AWS: largest object that parts make. */
  uploadedBytesMax: 5 * 1024 * GiB,
  /** AWS: smallest part but the last. The catalog enforces it. */
  partNumberMax: 10_000,
  /** AWS: key length in UTF-8 bytes. */
  keyBytesMax: 1024,
  /** AWS: names and values of `x-amz-meta-*` together. */
  userMetadataBytesMax: 2 * KiB,
  /** AWS: names and values of content-type and its like together. */
  systemMetadataBytesMax: 2 * KiB,
  /** ETags in write conditions; longer ones match nothing and are cut. Ours have at most 38 characters. */
  conditionEtagBytesMax: 64,
  /** AWS: entries of a list page. */
  listEntriesMax: 1000,
  /** AWS: entries of a ListBuckets page. */
  listBucketsMax: 10_000,
  /** Buckets asked of the registry at once: bounds the size of one message. */
  listBucketsFetch: 1000,
  /** AWS: keys of one DeleteObjects. */
  deleteKeysMax: 1000,
  /** Deletions of one DeleteObjects that run at once. */
  deleteConcurrency: 16,
  /** XML bodies: 1,000 keys of 1,024 bytes, escaped, are below 2 MiB; small documents below 64 KiB. */
  xmlBytesMax: 64 * KiB,
  deleteXmlBytesMax: 2 * MiB,
  /** AWS: 1,000 rules; each of them with a prefix of 1,024 bytes is 1.5 MiB. */
  lifecycleXmlBytesMax: 2 * MiB,
  /** 10,000 parts with ETag and checksum. */
  completeXmlBytesMax: 4 * MiB,
  /** AWS: everything of a form before the bytes of its file. */
  formFieldsBytesMax: 20 * KiB,
  /** Fields behind a form's file, which nobody reads (a submit button is 150 bytes): the file's end is known no sooner. */
  formTailBytesMax: 4 * KiB,
  /** AWS: request time may differ from ours by so much. */
  clockSkewMs: 15 * 60_000,
  /** AWS: life of a presigned URL. */
  presignedSecondsMax: 604_800,
  /** Derived signing keys kept, one per access key and day. */
  signingKeysMax: 1024,
  /** aws-chunked: one chunk header line; size in hex and a signature are 100 bytes. */
  chunkHeaderBytesMax: 256,
  /** aws-chunked: all trailer lines. */
  trailerBytesMax: 2 * KiB,
  /** AWS: signed chunks but the last are at least so large; each costs two HMACs. */
  signedChunkBytesMin: 8 * KiB,
} as const

/** Widened so that tests and configuration can lower single bounds. */
export type GatewayLimits = { readonly [name in keyof typeof gatewayLimits]: number }
