#!/usr/bin/env node
// node_suite.js - a Node client that nobody here wrote (node-zookeeper-client)
// against our broker's ZooKeeper port: node_suite.js PORT. Found through NODE_PATH.
'use strict';
const assert = require('assert');
const zookeeper = require('node-zookeeper-client');

const port = process.argv[2];
const WAIT_MS = 15000;
const tests = [];

function test(name, body) {
	tests.push({ name, body });
}

// The client's calls as promises; several results become a list.
function call(client, name, ...args) {
	return new Promise((resolve, reject) => {
		client[name](...args, (error, ...results) =>
			error ? reject(error) : resolve(results.length > 1 ? results : results[0]));
	});
}

function connected(chroot) {
	const client = zookeeper.createClient(`127.0.0.1:${port}${chroot || ''}`,
		{ sessionTimeout: 10000, retries: 0 });
	return new Promise((resolve) => {
		client.once('connected', () => resolve(client));
		client.connect();
	});
}

async function refused(code, promise) {
	await assert.rejects(promise, (error) => error.getCode && error.getCode() === code);
}

test('nodes are made, read, changed and deleted', async (zk) => {
	const E = zookeeper.Exception;
	assert.strictEqual(await call(zk, 'create', '/n', Buffer.from('one')), '/n');
	const [data, stat] = await call(zk, 'getData', '/n');
	assert.strictEqual(data.toString(), 'one');
	assert.strictEqual(stat.version, 0);
	assert.strictEqual((await call(zk, 'setData', '/n', Buffer.from('two'), 0)).version, 1);
	await refused(E.BAD_VERSION, call(zk, 'setData', '/n', Buffer.from('x'), 0));
	await refused(E.NODE_EXISTS, call(zk, 'create', '/n'));
	await call(zk, 'mkdirp', '/n/a/b');
	assert.deepStrictEqual((await call(zk, 'getChildren', '/n'))[0], ['a']);
	await refused(E.NOT_EMPTY, call(zk, 'remove', '/n', -1));
	for (const path of ['/n/a/b', '/n/a', '/n'])
		await call(zk, 'remove', path, -1);
	assert.ok(!await call(zk, 'exists', '/n'));
});

test('sequential and ephemeral nodes', async (zk) => {
	const mode = zookeeper.CreateMode;
	await call(zk, 'create', '/s');
	assert.strictEqual(await call(zk, 'create', '/s/n-', null, mode.EPHEMERAL_SEQUENTIAL),
		'/s/n-0000000000');
	const stat = await call(zk, 'exists', '/s/n-0000000000');
	assert.deepStrictEqual(stat.ephemeralOwner, zk.getSessionId());
});

test('watches', async (zk) => {
	const E = zookeeper.Event, seen = [];
	const next = () => new Promise((resolve) => { seen.push(resolve); });
	const watcher = (event) => seen.shift()([event.getType(), event.getPath()]);
	let told = next();
	await call(zk, 'exists', '/w', watcher);
	await call(zk, 'create', '/w');
	assert.deepStrictEqual(await told, [E.NODE_CREATED, '/w']);
	told = next();
	await call(zk, 'getData', '/w', watcher);
	await call(zk, 'setData', '/w', Buffer.from('x'), -1);
	assert.deepStrictEqual(await told, [E.NODE_DATA_CHANGED, '/w']);
	told = next();
	await call(zk, 'getChildren', '/w', watcher);
	await call(zk, 'create', '/w/c');
	assert.deepStrictEqual(await told, [E.NODE_CHILDREN_CHANGED, '/w']);
});

test('transactions are all or nothing', async (zk) => {
	const made = await call(zk.transaction().create('/t').check('/t', 0)
		.setData('/t', Buffer.from('1'), 0), 'commit');
	assert.strictEqual(made.length, 3);
	await assert.rejects(call(zk.transaction().create('/t/a').check('/t', 9), 'commit'));
	assert.deepStrictEqual((await call(zk, 'getChildren', '/t'))[0], []);
});

test('ACLs', async (zk) => {
	zk.addAuthInfo('digest', Buffer.from('u:p'));
	await call(zk, 'create', '/acl', Buffer.from('x'), zookeeper.ACL.CREATOR_ALL_ACL);
	const other = await connected();
	await refused(zookeeper.Exception.NO_AUTH, call(other, 'getData', '/acl'));
	other.close();
	assert.strictEqual((await call(zk, 'getACL', '/acl'))[0][0].id.scheme, 'digest');
});

test('a chroot', async (zk) => {
	await call(zk, 'mkdirp', '/root/of');
	const below = await connected('/root/of');
	assert.strictEqual(await call(below, 'create', '/mine'), '/mine');
	below.close();
	assert.ok(await call(zk, 'exists', '/root/of/mine'));
});

function limited(promise) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`nothing after ${WAIT_MS} ms`)), WAIT_MS);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function main() {
	let bad = 0;
	for (const { name, body } of tests) {
		let zk;
		try {
			zk = await limited(connected());
			await limited(body(zk));
			console.log(`ok    ${name}`);
		} catch (error) {
			bad++;
			console.log(`FAIL  ${name}: ${error.stack}`);
		}
		if (zk)
			zk.close();
	}
	const good = tests.length - bad;
	console.log(`${Math.floor(100 * good / tests.length)}%: Checks: ${tests.length}, ` +
		`Failures: ${bad}, Errors: 0`);
	process.exit(bad ? 1 : 0);
}

main();
