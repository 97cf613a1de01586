/**
 * The encryption document of a bucket: what writes get that ask for nothing. Applying it is the object store's.
 * Source: AWS, "ServerSideEncryptionConfiguration", Amazon S3 API Reference.
 */
import type { EncryptionRule } from '../../node/core/bucket-documents.ts'
import { invalidArgument } from './errors.ts'
import {
  booleanText,
  checkChildren,
  child,
  childrenOf,
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

/** Throws MalformedXML, InvalidArgument. Whether the key exists is not asked, as AWS does not. */
export function decodeBucketEncryption(root: XmlNode): EncryptionRule {
  checkChildren(root, ['Rule'])
  const rule = child(root, 'Rule')
  if (rule === undefined || rule.children.size === 0) throw malformed('no rule, or one that says nothing')
  checkChildren(rule, ['ApplyServerSideEncryptionByDefault', 'BucketKeyEnabled', 'BlockedEncryptionTypes'])
  const apply = child(rule, 'ApplyServerSideEncryptionByDefault')
  const bucketKey = childText(rule, 'BucketKeyEnabled')
  const blocked = child(rule, 'BlockedEncryptionTypes')
  return {
    ...(apply === undefined ? { algorithm: 'AES256' } : decodeDefault(apply)),
    ...(bucketKey === undefined ? {} : { bucketKeyEnabled: booleanText(bucketKey) }),
    ...(blocked === undefined ? {} : { blockedTypes: decodeBlocked(blocked) }),
  }
}

function decodeDefault(node: XmlNode): Pick<EncryptionRule, 'algorithm' | 'kmsKeyId'> {
  checkChildren(node, ['SSEAlgorithm', 'KMSMasterKeyID'])
  const algorithm = word(requiredText(node, 'SSEAlgorithm'), ['AES256', 'aws:kms', 'aws:kms:dsse'])
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

function decodeBlocked(node: XmlNode): readonly ('NONE' | 'SSE-C')[] {
  checkChildren(node, ['EncryptionType'])
  return childrenOf(node, 'EncryptionType').map((each) => word(each.text, ['NONE', 'SSE-C']))
}

/** The answer of GetBucketEncryption. */
export function encodeBucketEncryption(rule: EncryptionRule): string {
  return document(
    'ServerSideEncryptionConfiguration',
    wrap(
      'Rule',
      wrap(
        'ApplyServerSideEncryptionByDefault',
        element('SSEAlgorithm', rule.algorithm),
        element('KMSMasterKeyID', rule.kmsKeyId),
      ),
      element('BucketKeyEnabled', rule.bucketKeyEnabled ?? false),
      rule.blockedTypes === undefined
        ? ''
        : wrap('BlockedEncryptionTypes', ...rule.blockedTypes.map((type) => element('EncryptionType', type))),
    ),
  )
}
