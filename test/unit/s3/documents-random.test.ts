/** Documents of any content end in a value that can be told back, or in an error of S3: never in a crash. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeBucketEncryption, encodeBucketEncryption } from '../../../gateway/s3/bucket-encryption.ts'
import { decodeCors, encodeCors } from '../../../gateway/s3/cors.ts'
import { S3Error } from '../../../gateway/s3/errors.ts'
import { decodeLifecycle, encodeLifecycle } from '../../../gateway/s3/lifecycle.ts'
import { decodeLogging, encodeLogging } from '../../../gateway/s3/logging.ts'
import { decodeNotifications, encodeNotifications } from '../../../gateway/s3/notification.ts'
import {
  decodeObjectLockConfiguration,
  encodeObjectLockConfiguration,
} from '../../../gateway/s3/object-lock-configuration.ts'
import { decodeTagging, encodeTagging } from '../../../gateway/s3/tagging.ts'
import { decodeVersioning, encodeVersioning } from '../../../gateway/s3/versioning.ts'
import { decodeWebsite, encodeWebsite } from '../../../gateway/s3/website.ts'
import { parseXml, type XmlNode } from '../../../gateway/s3/xml.ts'

interface Document {
  readonly root: string
  /** Reads a document and writes it back. */
  readonly through: (root: XmlNode) => string
}

const documents: readonly Document[] = [
  { root: 'Tagging', through: (root) => encodeTagging(decodeTagging(root, 'bucket')) },
  { root: 'CORSConfiguration', through: (root) => encodeCors(decodeCors(root)) },
  { root: 'WebsiteConfiguration', through: (root) => encodeWebsite(decodeWebsite(root)) },
  {
    root: 'LifecycleConfiguration',
    through: (root) => encodeLifecycle(decodeLifecycle(root, () => 'made')),
  },
  {
    root: 'ServerSideEncryptionConfiguration',
    through: (root) => encodeBucketEncryption(decodeBucketEncryption(root)),
  },
  { root: 'VersioningConfiguration', through: (root) => encodeVersioning(decodeVersioning(root)) },
  {
    root: 'ObjectLockConfiguration',
    through: (root) => encodeObjectLockConfiguration(decodeObjectLockConfiguration(root)),
  },
  { root: 'BucketLoggingStatus', through: (root) => encodeLogging(decodeLogging(root)) },
  {
    root: 'NotificationConfiguration',
    through: (root) => encodeNotifications(decodeNotifications(root, () => 'made')),
  },
]

/** Every name that a document knows, so that random ones get deep. */
const names = fc.constantFrom(
  ...'TagSet Tag Key Value CORSRule AllowedOrigin AllowedMethod AllowedHeader MaxAgeSeconds ID IndexDocument Suffix'.split(
    ' ',
  ),
  ...'ErrorDocument RedirectAllRequestsTo HostName RoutingRules RoutingRule Condition Redirect Rule Filter'.split(
    ' ',
  ),
  ...'Prefix And Status Expiration Days Date ApplyServerSideEncryptionByDefault SSEAlgorithm MfaDelete'.split(
    ' ',
  ),
  ...'ObjectLockEnabled DefaultRetention Mode Years LoggingEnabled TargetBucket TargetPrefix'.split(' '),
  ...'TopicConfiguration Topic Event S3Key FilterRule Name constructor'.split(' '),
)
const texts = fc.oneof(
  fc.constantFrom('Enabled', 'GET', '*', '1', '-1', '9'.repeat(30), '2030-01-01', 'AES256', 'GOVERNANCE', ''),
  fc.constantFrom('arn:aws:sns:r:a:t', 's3:ObjectCreated:*', 'true', 'aws:kms', 'prefix', 'a.b', '&lt;&amp;'),
  fc.string({ maxLength: 8 }).map((text) => text.replace(/[<&>]/g, '')),
)
const markup: fc.Arbitrary<string> = fc.letrec<{ node: string; inner: string }>((tie) => ({
  node: fc.tuple(names, tie('inner')).map(([name, inner]) => `<${name}>${inner}</${name}>`),
  inner: fc.oneof(
    { maxDepth: 5 },
    texts,
    fc.array(tie('node'), { maxLength: 4 }).map((nodes) => nodes.join('')),
  ),
})).inner

for (const { root, through } of documents) {
  test(`a random ${root} is told back and read again as the same, or refused`, () => {
    fc.assert(
      fc.property(markup, (inner) => {
        try {
          const once = through(parseXml(Buffer.from(`<${root}>${inner}</${root}>`), root))
          assert.equal(through(parseXml(Buffer.from(once), root)), once)
        } catch (error) {
          if (!(error instanceof S3Error)) throw error
          assert.ok(error.status === 400 || error.status === 501, error.code)
        }
      }),
      { numRuns: 500 },
    )
  })
}
