/**
 * The versioning document of a bucket. What versioning does is the catalog's business.
 * Source: AWS, "PutBucketVersioning" and "GetBucketVersioning", Amazon S3 API Reference.
 */
import type { VersioningState } from '../../node/core/bucket-configuration.ts'
import { S3Error } from './errors.ts'
import { checkChildren, childText, document, element, word, type XmlNode } from './xml.ts'

/**
 * Throws MalformedXML; IllegalVersioningConfigurationException without a status; NotImplemented for MFA delete: there
 * are no MFA devices, and a protection that is not there must not be promised.
 */
export function decodeVersioning(root: XmlNode): Exclude<VersioningState, 'Off'> {
  checkChildren(root, ['Status', 'MfaDelete'])
  const mfaDelete = childText(root, 'MfaDelete')
  if (mfaDelete !== undefined && word(mfaDelete, ['Enabled', 'Disabled']) === 'Enabled') {
    throw new S3Error('NotImplemented', 'MFA delete is not implemented.')
  }
  const status = childText(root, 'Status')
  if (status === undefined) throw new S3Error('IllegalVersioningConfigurationException')
  return word(status, ['Enabled', 'Suspended'])
}

/** The answer of GetBucketVersioning. */
export function encodeVersioning(state: VersioningState): string {
  return document('VersioningConfiguration', element('Status', state === 'Off' ? undefined : state))
}
