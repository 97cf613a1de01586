"""Round trips of boto3 with its defaults. Arguments: bucket. Endpoint, region and keys come from the environment."""
import io, os, sys, urllib.request
import boto3
from botocore.exceptions import ClientError

bucket = sys.argv[1]
s3 = boto3.client('s3', endpoint_url=os.environ['AWS_ENDPOINT_URL'])

for key in ['plain.bin', 'with space/ümläut ß.txt', 'plus+percent%25&amp;=?#.bin', "quote'(1)!*~.bin"]:
    body = os.urandom(70_000)
    s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={'dienststelle': 'pi-4'}, ContentType='video/mp4')
    got = s3.get_object(Bucket=bucket, Key=key)
    assert got['Body'].read() == body, key
    assert got['Metadata'] == {'dienststelle': 'pi-4'} and got['ContentType'] == 'video/mp4'
    s3.copy_object(Bucket=bucket, Key='copies/' + key, CopySource={'Bucket': bucket, 'Key': key})
    assert s3.get_object(Bucket=bucket, Key='copies/' + key, Range='bytes=10-19')['Body'].read() == body[10:20]

for algorithm in ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']:
    try:
        put = s3.put_object(Bucket=bucket, Key=algorithm, Body=b'checksums', ChecksumAlgorithm=algorithm)
    except Exception as error:
        if type(error).__name__ != 'MissingDependencyException':
            raise
        continue
    head = s3.head_object(Bucket=bucket, Key=algorithm, ChecksumMode='ENABLED')
    name = 'Checksum' + algorithm
    assert put[name] == head[name], (put, head)

big = os.urandom(70 * 1024 * 1024)
s3.upload_fileobj(io.BytesIO(big), bucket, 'big')
out = io.BytesIO()
s3.download_fileobj(bucket, 'big', out)
assert out.getvalue() == big
assert s3.head_object(Bucket=bucket, Key='big')['ETag'].endswith('-9"')
s3.copy({'Bucket': bucket, 'Key': 'big'}, bucket, 'big-copy')
assert s3.head_object(Bucket=bucket, Key='big-copy')['ContentLength'] == len(big)

url = s3.generate_presigned_url('put_object', Params={'Bucket': bucket, 'Key': 'presigned'}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(url, data=b'by url', method='PUT')).read()
url = s3.generate_presigned_url('get_object', Params={'Bucket': bucket, 'Key': 'presigned'}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b'by url'

try:
    s3.put_object(Bucket=bucket, Key='presigned', Body=b'again', IfNoneMatch='*')
    raise SystemExit('an existing object was overwritten')
except ClientError as error:
    assert error.response['Error']['Code'] == 'PreconditionFailed', error

for number in range(12):
    s3.put_object(Bucket=bucket, Key=f'page/{number:02}', Body=b'')
pages = s3.get_paginator('list_objects_v2').paginate(Bucket=bucket, Prefix='page/', PaginationConfig={'PageSize': 5})
keys = [entry['Key'] for page in pages for entry in page['Contents']]
assert keys == [f'page/{number:02}' for number in range(12)], keys

everything = [{'Key': entry['Key']} for page in s3.get_paginator('list_objects').paginate(Bucket=bucket) for entry in page['Contents']]
assert {'Key': 'with space/ümläut ß.txt'} in everything
assert 'Errors' not in s3.delete_objects(Bucket=bucket, Delete={'Objects': everything})
s3.delete_bucket(Bucket=bucket)
print('done')
