#!/usr/bin/env node
// node_suite.js - a Node client that nobody here wrote (node-zookeeper-client)
// against a ZooKeeper port: node_suite.js PORT. Found through NODE_PATH. Whoever
// runs it ends the server and starts it again where a line asks for that.
'use strict';
const assert = require('assert');
const zookeeper = require('node-zookeeper-client');

const port = process.argv[2];
const WAIT_MS = 40000;
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

function once(client, event) {
	return new Promise((resolve) => client.once(event, resolve));
}

// kill -9, and a new one on the same port.
function restart() {
	return new Promise((resolve) => {
		process.stdin.once('data', resolve);
		console.log('restart the server');
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
	await refused(zookeeper.Exception.NO_CHILDREN_FOR_EPHEMERALS,
		call(zk, 'create', '/s/n-0000000000/c'));
	assert.strictEqual(await call(zk, 'create', '/s/n-', null, mode.PERSISTENT_SEQUENTIAL),
		'/s/n-0000000001');
});

test('ephemerals go with their session, and others are told', async (zk) => {
	const other = await connected();
	await call(other, 'create', '/mine', null, zookeeper.CreateMode.EPHEMERAL);
	const told = new Promise((resolve, reject) => {
		call(zk, 'exists', '/mine', resolve).then((stat) => assert.ok(stat)).catch(reject);
	});
	// The watch is there before the session ends.
	assert.deepStrictEqual((await call(zk, 'exists', '/mine')).ephemeralOwner,
		other.getSessionId());
	other.close();
	const event = await told;
	assert.strictEqual(event.getType(), zookeeper.Event.NODE_DELETED);
	assert.strictEqual(event.getPath(), '/mine');
	assert.ok(!await call(zk, 'exists', '/mine'));
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
	await call(zk.transaction().create('/t/a').remove('/t/a').remove('/t', 1), 'commit');
	assert.ok(!await call(zk, 'exists', '/t'));
});

test('ACLs', async (zk) => {
	zk.addAuthInfo('digest', Buffer.from('u:p'));
	await call(zk, 'create', '/acl', Buffer.from('x'), zookeeper.ACL.CREATOR_ALL_ACL);
	const other = await connected();
	await refused(zookeeper.Exception.NO_AUTH, call(other, 'getData', '/acl'));
	other.addAuthInfo('digest', Buffer.from('u:wrong'));
	await refused(zookeeper.Exception.NO_AUTH, call(other, 'setData', '/acl', Buffer.from('y')));
	other.addAuthInfo('digest', Buffer.from('u:p'));
	assert.strictEqual((await call(other, 'getData', '/acl'))[0].toString(), 'x');
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

test('a server that ends and comes back', async (zk) => {
	const mode = zookeeper.CreateMode, session = zk.getSessionId();
	await call(zk, 'create', '/back', Buffer.from('kept'));
	await call(zk, 'create', '/back/e', null, mode.EPHEMERAL);
	let tell;
	const told = new Promise((resolve) => { tell = resolve; });
	await call(zk, 'getData', '/back', tell);
	const back = once(zk, 'disconnected').then(() => once(zk, 'connected'));
	await restart();
	await back;
	assert.deepStrictEqual(zk.getSessionId(), session);
	assert.strictEqual((await call(zk, 'getData', '/back'))[0].toString(), 'kept');
	assert.deepStrictEqual((await call(zk, 'exists', '/back/e')).ephemeralOwner, session);
	await call(zk, 'setData', '/back', Buffer.from('set'), 0);
	const event = await told;
	assert.strictEqual(event.getType(), zookeeper.Event.NODE_DATA_CHANGED);
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
