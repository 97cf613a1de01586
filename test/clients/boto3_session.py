"""Drives boto3 with its defaults for the client matrix: one call per run, named by the first argument."""
import sys

import boto3


def main(verb, bucket, *rest):
    s3 = boto3.client("s3")
    if verb == "make":
        region = s3.meta.region_name
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    elif verb == "put":
        s3.upload_file(rest[1], bucket, rest[0])
    elif verb == "get":
        s3.download_file(bucket, rest[0], rest[1])
    elif verb == "range":
        answer = s3.get_object(Bucket=bucket, Key=rest[0], Range=f"bytes={rest[1]}-{rest[2]}")
        sys.stdout.buffer.write(answer["Body"].read())
    elif verb == "presign":
        print(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": rest[0]}))
    elif verb == "copy":
        s3.copy({"Bucket": bucket, "Key": rest[0]}, bucket, rest[1])
    elif verb == "list":
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                print(entry["Key"])
    elif verb == "remove":
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": rest[0]}]})
    else:
        raise SystemExit(f"unknown verb {verb}")


main(*sys.argv[1:])
