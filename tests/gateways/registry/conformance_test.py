#!/usr/bin/env python3
"""Every MUST of the OCI Distribution Specification 1.1, section by section, against a real slipwayd. A check's name says which section it is of."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from images import (CONFIG, INDEX, LAYER, MANIFEST, Repository, descriptor, digest, error_code, header, index, manifest,  # noqa: E402
                    new_tenant, registry_client, scope)
from support.slipwayd import Slipwayd  # noqa: E402

CHECKS = []


def check(section):
    def add(function):
        CHECKS.append((section, function))
        return function
    return add


def expect(answer, status, code=None):
    assert answer.status == status, (status, answer)
    if code is not None:
        assert error_code(answer) == code, (code, answer)
    return answer


# Determining support

@check("Determining Support: /v2/ answers 200 to whoever is admitted, and 401 with a challenge to others")
def base(r):
    expect(r.http.get("/v2/"), 200)
    refused = expect(r.server.client().get("/v2/"), 401, "UNAUTHORIZED")
    assert header(refused, "WWW-Authenticate").startswith("Bearer realm="), refused.headers


# Pull

@check("Pull, Pulling manifests: by tag and by digest, byte for byte, with its type and digest")
def pull_manifest(r):
    body = r.push_image(b"pulled", "v1")
    for reference in ("v1", digest(body)):
        got = expect(r.get("manifests/" + reference, headers={"Accept": MANIFEST}), 200)
        assert got.text.encode() == body
        assert header(got, "Content-Type") == MANIFEST
        assert header(got, "Docker-Content-Digest") == digest(body)


@check("Pull, Pulling manifests: 404 when it is not there")
def pull_no_manifest(r):
    expect(r.get("manifests/none"), 404, "MANIFEST_UNKNOWN")
    expect(r.get("manifests/" + digest(b"none")), 404, "MANIFEST_UNKNOWN")


@check("Pull, Pulling blobs: 200 and the bytes with the digest that was asked for; 404 when it is not there")
def pull_blob(r):
    name = r.push(b"the blob")
    got = expect(r.get("blobs/" + name), 200)
    assert got.text == "the blob" and header(got, "Docker-Content-Digest") == name
    expect(r.get("blobs/" + digest(b"no blob")), 404, "BLOB_UNKNOWN")


@check("Pull, Pulling blobs: parts by Range, also from the end; 416 outside; If-Range and several ranges give the whole")
def pull_blob_ranges(r):
    name = r.push(b"0123456789")

    def part(field, **more):
        return r.get("blobs/" + name, headers={"Range": field, **more})
    for field, text in (("bytes=2-4", "234"), ("bytes=7-", "789"), ("bytes=-3", "789"), ("bytes=-99", "0123456789"), ("bytes=8-99", "89")):
        got = expect(part(field), 206)
        assert got.text == text and header(got, "Content-Range").endswith("/10"), (field, got)
    outside = expect(part("bytes=10-"), 416, "SIZE_INVALID")
    assert header(outside, "Content-Range") == "bytes */10"
    expect(part("bytes=-0"), 416)
    for field in ("bytes=1-2,4-5", "lines=1-2", "bytes=5-2"):
        assert expect(part(field), 200).text == "0123456789"
    assert expect(part("bytes=1-2", **{"If-Range": f'"{name}"'}), 206).text == "12"
    assert expect(part("bytes=1-2", **{"If-Range": '"sha256:other"'}), 200).text == "0123456789"


@check("Pull, Pulling manifests: parts by Range")
def pull_manifest_ranges(r):
    body = r.push_image(b"in parts", "parts")
    got = expect(r.get("manifests/parts", headers={"Range": "bytes=5-9"}), 206)
    assert got.text.encode() == body[5:10] and header(got, "Content-Range") == f"bytes 5-9/{len(body)}"
    expect(r.get("manifests/parts", headers={"Range": f"bytes={len(body)}-"}), 416)


@check("Pull: conditional requests for blobs and manifests, GET and HEAD")
def conditions(r):
    body = r.push_image(b"conditional", "cond")
    name = r.push(b"conditional blob")
    for what, tag in (("manifests/cond", digest(body)), ("blobs/" + name, name)):
        for method in ("GET", "HEAD"):
            def ask(**fields):
                return r.http.send(method, f"{r.path}/{what}", headers={k.replace("_", "-"): v for k, v in fields.items()})
            same = expect(ask(If_None_Match=f'"x", W/"{tag}"'), 304)
            assert same.text == "" and header(same, "ETag") == f'"{tag}"'
            expect(ask(If_None_Match="*"), 304)
            expect(ask(If_None_Match='"other"'), 200)
            expect(ask(If_Match=f'"{tag}"'), 200)
            expect(ask(If_Match='"other"'), 412)


@check("Pull, Checking if content exists: HEAD gives 200, the digest and the length; 404 when it is not there")
def heads(r):
    body = r.push_image(b"checked", "checked")
    name = r.push(b"checked blob")
    for what, length in (("manifests/checked", len(body)), ("manifests/" + digest(body), len(body)), ("blobs/" + name, 12)):
        got = expect(r.head(what), 200)
        assert int(header(got, "Content-Length")) == length and header(got, "Docker-Content-Digest")
    for what in ("manifests/none", "manifests/" + digest(b"none"), "blobs/" + digest(b"none")):
        expect(r.head(what), 404)


# Push

@check("Push, Pushing a blob monolithically, POST then PUT: 202 with a location of its own, then 201 with a blob that can be pulled")
def post_put(r):
    first, second = r.begin(), r.begin()
    assert first != second
    data = b"post then put"
    answer = expect(r.http.send("PUT", f"{first}?digest={digest(data)}", raw=data), 201)
    assert header(answer, "Docker-Content-Digest") == digest(data)
    assert expect(r.http.get(header(answer, "Location")), 200).text.encode() == data


@check("Push, Pushing a blob monolithically, Single POST: 201 with a blob that can be pulled")
def single_post(r):
    data = b"single post"
    answer = expect(r.http.send("POST", f"{r.path}/blobs/uploads/?digest={digest(data)}", raw=data), 201)
    assert expect(r.http.get(header(answer, "Location")), 200).text.encode() == data


@check("Push: a digest that does not match or is malformed is 400 and no blob comes to be")
def wrong_digest(r):
    for named in (digest(b"something else"), "sha256:abc", "md5:" + "0" * 32, "nothing"):
        expect(r.http.send("PUT", f"{r.begin()}?digest={named}", raw=b"data"), 400, "DIGEST_INVALID")
    expect(r.http.send("PUT", r.begin(), raw=b"data"), 400, "DIGEST_INVALID")
    expect(r.head("blobs/" + digest(b"something else")), 404)


@check("Push, Pushing a blob in chunks: 202 with Location and Range for each, in order; closed by PUT with or without a last chunk")
def chunks(r):
    data = b"first second third"
    for last_by_put in (True, False):
        answer = expect(r.http.post(r.path + "/blobs/uploads/", headers={"Content-Length": "0"}), 202)
        at = header(answer, "Location")
        assert int(header(answer, "OCI-Chunk-Min-Length")) > 0 and header(answer, "Docker-Upload-UUID") in at
        parts = [data[:6], data[6:13], data[13:]]
        offset = 0
        for part in parts[:2] if last_by_put else parts:
            answer = expect(r.http.send("PATCH", at, raw=part, headers={
                "Content-Range": f"{offset}-{offset + len(part) - 1}", "Content-Type": "application/octet-stream"}), 202)
            at = header(answer, "Location")
            offset += len(part)
            assert header(answer, "Range") == f"0-{offset - 1}"
        end = {"raw": parts[2], "headers": {"Content-Range": f"{offset}-{len(data) - 1}"}} if last_by_put else {"raw": b""}
        answer = expect(r.http.send("PUT", f"{at}?digest={digest(data)}", **end), 201)
        assert expect(r.http.get(header(answer, "Location")), 200).text.encode() == data


@check("Push, Pushing a blob in chunks: without Content-Range a chunk is appended")
def stream(r):
    at = r.begin()
    for part in (b"stre", b"amed"):
        at = header(expect(r.http.send("PATCH", at, raw=part), 202), "Location")
    expect(r.http.send("PUT", f"{at}?digest={digest(b'streamed')}", raw=b""), 201)


@check("Push, Pushing a blob in chunks: a chunk out of order is 416, and the upload goes on where GET says it is")
def out_of_order(r):
    at = r.begin()
    expect(r.http.send("PATCH", at, raw=b"0123", headers={"Content-Range": "0-3"}), 202)
    for field, part in (("5-6", b"56"), ("0-3", b"0123"), ("2-5", b"2345"), ("4-9", b"45"), ("x-y", b"4"), ("4-3", b"4")):
        answer = expect(r.http.send("PATCH", at, raw=part, headers={"Content-Range": field}), 416, "BLOB_UPLOAD_INVALID")
        assert header(answer, "Range").startswith("0-"), answer.headers
    status = expect(r.http.get(at), 204)
    offset = int(header(status, "Range").split("-")[1]) + 1
    data = b"0123456789"
    assert header(status, "Location") == at and offset >= 4
    expect(r.http.send("PATCH", at, raw=data[offset:], headers={"Content-Range": f"{offset}-9"}), 202)
    expect(r.http.send("PUT", f"{at}?digest={digest(data)}", raw=b""), 201)


@check("Push, Pushing a blob in chunks: an upload that is cancelled or was never begun is 404")
def cancelled(r):
    at = r.begin()
    expect(r.http.delete(at), 204)
    for path in (at, r.path + "/blobs/uploads/" + "0" * 32):
        expect(r.http.get(path), 404, "BLOB_UPLOAD_UNKNOWN")
        expect(r.http.send("PATCH", path, raw=b"x"), 404, "BLOB_UPLOAD_UNKNOWN")
        expect(r.http.send("PUT", f"{path}?digest={digest(b'x')}", raw=b"x"), 404, "BLOB_UPLOAD_UNKNOWN")


@check("Push, Pushing a blob in chunks: an upload goes on after the server was killed and started again")
def resumed(r):
    at = r.begin()
    expect(r.http.send("PATCH", at, raw=b"before "), 202)
    r.http.close()
    r.tenant.api.close()
    r.server.kill()
    r.server.start(http=f"127.0.0.1:{r.server.port}")
    status = expect(r.http.get(at), 204)
    assert header(status, "Range") == "0-6"
    data = b"before and after"
    expect(r.http.send("PATCH", at, raw=data[7:], headers={"Content-Range": f"7-{len(data) - 1}"}), 202)
    expect(r.http.send("PUT", f"{at}?digest={digest(data)}", raw=b""), 201)
    assert expect(r.get("blobs/" + digest(data)), 200).text.encode() == data


@check("Push, Mounting a blob: 201 from a repository that may be pulled, with and without naming it; else 202 and an upload")
def mount(r):
    other = Repository(r.server, r.tenant)
    name = other.push(b"to be mounted")
    http = registry_client(r.server, r.tenant.api, scope(r.name), scope(other.name, "pull"))
    answer = expect(http.post(f"{r.path}/blobs/uploads/?mount={name}&from={other.name}"), 201)
    assert expect(r.http.get(header(answer, "Location")), 200).text == "to be mounted"
    second = other.push(b"found by itself")
    expect(http.post(f"{r.path}/blobs/uploads/?mount={second}"), 201)
    third = other.push(b"not for this token")
    for query in (f"mount={third}&from={other.name}", f"mount={third}", f"mount={digest(b'nowhere')}&from={other.name}", "mount=x"):
        answer = expect(r.http.post(f"{r.path}/blobs/uploads/?{query}"), 202)
        assert header(answer, "Location")
    expect(r.head("blobs/" + third), 404)


@check("Push, Pushing manifests: 201 with a location that can be pulled and the digest, the bytes as they were sent")
def put_manifest(r):
    config, layer = b"{}", b"a layer"
    r.push(config)
    r.push(layer)
    body = manifest(config, [layer]).replace(b'{"schemaVersion"', b'{ \n "schemaVersion"')
    for reference in ("tagged", digest(body)):
        answer = expect(r.put(body, reference), 201)
        assert header(answer, "Docker-Content-Digest") == digest(body)
        assert expect(r.http.get(header(answer, "Location")), 200).text.encode() == body
    assert header(answer, "OCI-Subject") is None


@check("Push, Pushing manifests: the list of layers may be empty; an artifact has a type and the empty config")
def put_artifact(r):
    r.push(b"{}")
    body = manifest(b"{}", [], artifactType="application/vnd.example+type")
    expect(r.put(body), 201)


@check("Push, Pushing manifests: what names blobs or manifests that are not here is refused with MANIFEST_BLOB_UNKNOWN")
def missing_references(r):
    expect(r.put(manifest(b"not here", [b"nor this"]), "missing"), 400, "MANIFEST_BLOB_UNKNOWN")
    expect(r.put(index([(b"no manifest", MANIFEST)]), "missing", INDEX), 400, "MANIFEST_BLOB_UNKNOWN")
    expect(r.get("manifests/missing"), 404)


@check("Push, Pushing manifests: one of 4 MB is taken, a larger one than the limit is 413")
def large_manifest(r):
    r.push(b"{}")
    nearly = manifest(b"{}", [], annotations={"padding": "x" * 4_000_000})
    assert len(nearly) >= 4_000_000
    expect(r.put(nearly, "large"), 201)
    assert expect(r.get("manifests/large"), 200).text.encode() == nearly
    expect(r.put(manifest(b"{}", [], annotations={"padding": "x" * 4_200_000}), "larger"), 413, "SIZE_INVALID")


@check("Push, Pushing manifests: under a digest that is not theirs 400, with a type that is not theirs 400")
def mislabelled_manifest(r):
    r.push(b"{}")
    body = manifest(b"{}", [])
    expect(r.put(body, digest(b"another")), 400, "DIGEST_INVALID")
    expect(r.put(body, "wrong", INDEX), 400, "MANIFEST_INVALID")


@check("Push: SHA-512 throughout; the digest answered is the one that was asked for")
def sha512(r):
    name = r.push(b"long hash", "sha512")
    assert header(expect(r.head("blobs/" + name), 200), "Docker-Content-Digest") == name
    config = b'{"sha":512}'
    r.push(config, "sha512")
    body = manifest(config, []).replace(digest(config).encode(), digest(config, "sha512").encode())
    answer = expect(r.put(body, digest(body, "sha512")), 201)
    assert header(answer, "Docker-Content-Digest") == digest(body, "sha512")
    got = expect(r.get("manifests/" + digest(body, "sha512")), 200)
    assert got.text.encode() == body and header(got, "Docker-Content-Digest") == digest(body, "sha512")
    expect(r.get("manifests/" + digest(body)), 404)
    tagged = r.http.send("PUT", f"{r.path}/manifests/long?digest={digest(body, 'sha512')}", raw=body, headers={"Content-Type": MANIFEST})
    assert header(expect(tagged, 201), "Docker-Content-Digest") == digest(body, "sha512")
    at = r.begin()
    expect(r.http.send("PATCH", at, raw=b"in "), 202)
    data = b"in chunks"
    expect(r.http.send("PUT", f"{at}?digest={digest(data, 'sha512')}", raw=data[3:]), 201)


@check("Push, Pushing manifests with subject: accepted before the subject exists, and OCI-Subject names it")
def subject_first(r):
    config = b'{"subject":"later"}'
    r.push(config)
    subject = manifest(config, [])
    r.push(b"{}")
    early = manifest(b"{}", [], artifactType="application/vnd.early", subject=descriptor(subject, MANIFEST))
    answer = expect(r.put(early), 201)
    assert header(answer, "OCI-Subject") == digest(subject)
    assert [m["digest"] for m in referrers(r, subject)] == [digest(early)]
    expect(r.put(subject), 201)
    assert [m["digest"] for m in referrers(r, subject)] == [digest(early)]


# Content discovery

def referrers(r, subject, query=""):
    answer = expect(r.get(f"referrers/{digest(subject)}{query}"), 200)
    assert header(answer, "Content-Type") == INDEX
    assert answer.json["schemaVersion"] == 2 and answer.json["mediaType"] == INDEX
    return answer.json["manifests"]


@check("Content Discovery, Listing Tags: in order, n of them, after last, nothing and no Link for n=0")
def tags(r):
    body = r.push_image(b"tagged")
    for tag in ("b", "A", "c", "a"):
        expect(r.put(body, tag), 201)

    def listed(query=""):
        answer = expect(r.get("tags/list" + query), 200)
        assert answer.json["name"] == r.name
        return answer.json["tags"], header(answer, "Link")
    assert listed() == (["A", "a", "b", "c"], None)
    names, link = listed("?n=2")
    assert names == ["A", "a"] and link.endswith('rel="next"')
    assert expect(r.http.get(link[1:link.index(">")]), 200).json["tags"] == ["b", "c"]
    assert listed("?n=2&last=b") == (["c"], None)
    assert listed("?last=a")[0] == ["b", "c"]
    assert listed("?n=0") == ([], None)
    expect(r.get("tags/list?n=few"), 400)


@check("Content Discovery, Listing Tags: 404 for a repository that holds nothing")
def tags_of_nothing(r):
    expect(r.get("tags/list"), 404, "NAME_UNKNOWN")


@check("Content Discovery, Listing Referrers: an index with type, size, digest, artifactType and annotations; empty, never 404, of what has none")
def list_referrers(r):
    subject = r.push_image(b"a subject", "subject")
    assert referrers(r, subject) == []
    r.push(b"{}")
    told = {"org.example": "kept", "e": "é"}
    by_type = manifest(b"{}", [], artifactType="application/vnd.sbom+json", subject=descriptor(subject, MANIFEST), annotations=told)
    by_config = manifest(b"{}", [], subject=descriptor(subject, MANIFEST))
    an_index = index([(subject, MANIFEST)], artifactType="application/vnd.index", subject=descriptor(subject, MANIFEST))
    for body, kind in ((by_type, MANIFEST), (by_config, MANIFEST), (an_index, INDEX)):
        assert header(expect(r.put(body, None, kind), 201), "OCI-Subject") == digest(subject)
    found = {m["digest"]: m for m in referrers(r, subject)}
    assert set(found) == {digest(by_type), digest(by_config), digest(an_index)}
    assert found[digest(by_type)] == {"mediaType": MANIFEST, "digest": digest(by_type), "size": len(by_type),
                                      "artifactType": "application/vnd.sbom+json", "annotations": told}
    assert found[digest(by_config)]["artifactType"] == CONFIG
    assert found[digest(an_index)]["artifactType"] == "application/vnd.index" and found[digest(an_index)]["mediaType"] == INDEX
    expect(r.get("referrers/nonsense"), 400, "DIGEST_INVALID")
    expect(r.http.delete(f"{r.path}/manifests/{digest(by_type)}"), 202)
    assert len(referrers(r, subject)) == 2


@check("Content Discovery, Listing Referrers: filtered by artifactType, which OCI-Filters-Applied says; in pages by Link")
def filter_referrers(r):
    subject = r.push_image(b"filtered", "subject")
    r.push(b"{}")
    wanted = []
    for n in range(5):
        body = manifest(b"{}", [], artifactType=f"application/vnd.kind{n % 2}+json", subject=descriptor(subject, MANIFEST), annotations={"n": str(n)})
        expect(r.put(body), 201)
        wanted += [digest(body)] if n % 2 == 0 else []
    for query in ("artifactType=application/vnd.kind0%2Bjson", "artifactType=application/vnd.kind0+json"):
        answer = expect(r.get(f"referrers/{digest(subject)}?{query}"), 200)
        assert header(answer, "OCI-Filters-Applied") == "artifactType"
        assert sorted(m["digest"] for m in answer.json["manifests"]) == sorted(wanted)
    assert header(expect(r.get(f"referrers/{digest(subject)}"), 200), "OCI-Filters-Applied") is None
    assert referrers(r, subject, "?artifactType=application/none") == []
    seen, path = [], f"{r.path}/referrers/{digest(subject)}?n=2&artifactType=application/vnd.kind0%2Bjson"
    while path:
        answer = expect(r.http.get(path), 200)
        assert len(answer.json["manifests"]) <= 2
        seen += [m["digest"] for m in answer.json["manifests"]]
        link = header(answer, "Link")
        path = link and link[1:link.index(">")]
    assert sorted(seen) == sorted(wanted)


@check("Content Discovery, the catalogue: only what the bearer may pull, in pages, and only with its scope")
def catalog(r):
    r.push_image(b"in the catalogue", "v1")
    second = Repository(r.server, r.tenant)
    second.push_image(b"as well", "v1")
    stranger = Repository(r.server, new_tenant(r.server, r.server.login()))
    stranger.push_image(b"another's", "v1")
    expect(r.http.get("/v2/_catalog"), 401)
    http = registry_client(r.server, r.tenant.api, "registry:catalog:*")
    expect(http.get(r.path + "/tags/list"), 401)  # the list's token opens no repository
    names = expect(http.get("/v2/_catalog"), 200).json["repositories"]
    assert {r.name, second.name} <= set(names) and stranger.name not in names and names == sorted(names)
    seen, path = [], "/v2/_catalog?n=1"
    while path:
        answer = expect(http.get(path), 200)
        seen += answer.json["repositories"]
        link = header(answer, "Link")
        path = link and link[1:link.index(">")]
    assert seen == names
    guest = registry_client(r.server, r.server.client(), "registry:catalog:*")
    expect(guest.get("/v2/_catalog"), 401)


# Content management

@check("Content Management, Deleting tags: 202, the tag is gone and the manifest stays")
def delete_tag(r):
    body = r.push_image(b"untagged", "v1")
    expect(r.put(body, "v2"), 201)
    expect(r.http.delete(r.path + "/manifests/v1"), 202)
    expect(r.get("manifests/v1"), 404)
    expect(r.get("manifests/v2"), 200)
    expect(r.get("manifests/" + digest(body)), 200)
    expect(r.http.delete(r.path + "/manifests/v1"), 404, "MANIFEST_UNKNOWN")


@check("Content Management, Deleting manifests: 202, gone with its tags; 404 when it is not there")
def delete_manifest(r):
    body = r.push_image(b"deleted", "v1")
    expect(r.http.delete(f"{r.path}/manifests/{digest(body)}"), 202)
    expect(r.get("manifests/" + digest(body)), 404)
    expect(r.get("manifests/v1"), 404)
    assert expect(r.get("tags/list"), 200).json["tags"] == []
    expect(r.http.delete(f"{r.path}/manifests/{digest(body)}"), 404, "MANIFEST_UNKNOWN")


@check("Content Management, Deleting blobs: 202 and gone; 404 when it is not there")
def delete_blob(r):
    name = r.push(b"a blob to delete")
    expect(r.http.delete(f"{r.path}/blobs/{name}"), 202)
    expect(r.head("blobs/" + name), 404)
    expect(r.http.delete(f"{r.path}/blobs/{name}"), 404, "BLOB_UNKNOWN")


@check("Content Management: needs the action delete, which a token without it lacks")
def delete_needs_right(r):
    body = r.push_image(b"kept", "v1")
    pusher = registry_client(r.server, r.tenant.api, scope(r.name, "pull,push"))
    expect(pusher.delete(f"{r.path}/manifests/{digest(body)}"), 401, "DENIED")
    expect(r.get("manifests/v1"), 200)


# Error codes

@check("Error Codes: unknown resources 404, unsupported methods 405 with Allow, malformed names 400, each with the body")
def errors(r):
    expect(r.http.get(r.path + "/nonsense"), 404, "NAME_UNKNOWN")
    answer = expect(r.http.post(r.path + "/manifests/v1", {}), 405, "UNSUPPORTED")
    assert header(answer, "Allow") == "GET, HEAD, PUT, DELETE"
    expect(r.http.get("/v2/UPPER/manifests/v1"), 400, "NAME_INVALID")
    expect(r.http.get("/v2/" + "a" * 300 + "/manifests/v1"), 400, "NAME_INVALID")
    expect(r.put(b"{", "bad"), 400, "MANIFEST_INVALID")
    expect(r.put(b"[]", "bad"), 400, "MANIFEST_INVALID")
    expect(r.http.get("/v2/another/repository/manifests/v1"), 401, "DENIED")


def main():
    server = Slipwayd()
    try:
        server.start()
        tenant = new_tenant(server, server.login())
        wrong = 0
        for section, function in CHECKS:
            repository = Repository(server, tenant)
            try:
                function(repository)
                print(f"ok    {section}", flush=True)
            except Exception as failure:  # pylint: disable=broad-except
                wrong += 1
                print(f"WRONG {section}\n      {function.__name__}: {type(failure).__name__} {failure}", flush=True)
        assert server.stop() == 0, server.text()
        print(f"{len(CHECKS)} checks, {wrong} wrong")
        sys.exit(1 if wrong else 0)
    finally:
        server.remove()


if __name__ == "__main__":
    main()
