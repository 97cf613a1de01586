/**
 * The encryption document of a bucket: what writes get that ask for nothing. Applying it is the object store's.
 * Source: AWS, "ServerSideEncryptionConfiguration", Amazon S3 API Reference.
 */
import type { DefaultEncryption } from '../../node/core/bucket-configuration.ts'
import { invalidArgument, S3Error } from './errors.ts'
import {
  booleanText,
  checkChildren,
  child,
  childText,
  document,
  element,
  malformed,
  requiredText,
  word,
  wrap,
  type XmlNode,
} from './xml.ts'

/** AWS: an ARN of a key or an alias. */
const keyIdCharsMax = 2048

/** Throws MalformedXML, InvalidArgument; NotImplemented for what could not be held: two layers. Whether the key exists is not asked, as AWS does not. */
export function decodeBucketEncryption(root: XmlNode): DefaultEncryption {
  checkChildren(root, ['Rule'])
  const rule = child(root, 'Rule')
  if (rule === undefined || rule.children.size === 0) throw malformed('no rule, or one that says nothing')
  checkChildren(rule, ['ApplyServerSideEncryptionByDefault', 'BucketKeyEnabled', 'BlockedEncryptionTypes'])
  const apply = child(rule, 'ApplyServerSideEncryptionByDefault')
  const bucketKey = childText(rule, 'BucketKeyEnabled')
  const blocked = child(rule, 'BlockedEncryptionTypes')
  return {
    ...(apply === undefined ? { algorithm: 'AES256' } : decodeDefault(apply)),
    ...(bucketKey === undefined ? {} : { bucketKey: booleanText(bucketKey) }),
    ...(blocked !== undefined && blocksCustomerKeys(blocked) ? { blockCustomerKeys: true } : {}),
  }
}

/** AWS knows `NONE` and `SSE-C`; one of them. */
function blocksCustomerKeys(node: XmlNode): boolean {
  checkChildren(node, ['EncryptionType'])
  return word(requiredText(node, 'EncryptionType'), ['NONE', 'SSE-C']) === 'SSE-C'
}

function notImplemented(what: string): S3Error {
  return new S3Error('NotImplemented', `${what} is not implemented.`)
}

function decodeDefault(node: XmlNode): Pick<DefaultEncryption, 'algorithm' | 'kmsKeyId'> {
  checkChildren(node, ['SSEAlgorithm', 'KMSMasterKeyID'])
  const algorithm = word(requiredText(node, 'SSEAlgorithm'), ['AES256', 'aws:kms', 'aws:kms:dsse'])
  if (algorithm === 'aws:kms:dsse') throw notImplemented('Dual-layer encryption')
  const kmsKeyId = childText(node, 'KMSMasterKeyID')
  if (kmsKeyId === undefined || kmsKeyId === '') return { algorithm }
  if (algorithm === 'AES256') {
    throw invalidArgument(
      'ApplyServerSideEncryptionByDefault',
      kmsKeyId,
      'a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse',
    )
  }
  if (kmsKeyId.length > keyIdCharsMax) throw malformed('a key id that is none')
  return { algorithm, kmsKeyId }
}

/** The answer of GetBucketEncryption. */
export function encodeBucketEncryption(rule: DefaultEncryption): string {
  return document(
    'ServerSideEncryptionConfiguration',
    wrap(
      'Rule',
      wrap(
        'ApplyServerSideEncryptionByDefault',
        element('SSEAlgorithm', rule.algorithm),
        element('KMSMasterKeyID', rule.kmsKeyId),
      ),
      element('BucketKeyEnabled', rule.bucketKey ?? false),
      rule.blockCustomerKeys === true
        ? wrap('BlockedEncryptionTypes', element('EncryptionType', 'SSE-C'))
        : '',
    ),
  )
}
