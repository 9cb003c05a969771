// The owner's page at the width of a phone and of a desk, light and dark: nothing is cut, everything can be done by
// keyboard, axe finds nothing, and nothing but the page itself is asked for. Prints TAP; screenshots go to the directory.
//
//   node browser.js CHROMIUM URL PASSWORD DIRECTORY
'use strict';
const fs = require('fs');
const puppeteer = require('puppeteer-core');

const [chromium, url, password, dir] = process.argv.slice(2);
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
let count = 0, failed = 0;

function ok(good, what, why) {
    count++;
    if (!good) failed++;
    console.log(`${good ? 'ok' : 'not ok'} ${count} - ${what}`);
    if (!good && why !== undefined) console.log('# ' + String(why).split('\n').join('\n# '));
}

async function look(page, name) {
    await page.screenshot({ path: `${dir}/${name}.png`, fullPage: true });
    await page.evaluate(axe);
    const found = await page.evaluate(only => axe.run(document, { runOnly: only }), tags);
    ok(found.violations.length === 0, `${name}: axe finds nothing`,
        found.violations.map(v => `${v.id}: ${v.help}: ${v.nodes.map(n => n.html.slice(0, 200)).join(' | ')}`).join('\n'));
    ok(found.passes.some(p => p.id === 'color-contrast'), `${name}: it looked at the contrast`);
    const wide = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    ok(wide[0] <= wide[1], `${name}: nothing is wider than the screen`, wide);
    const cut = await page.evaluate(() => [...document.querySelectorAll('body *')].filter(e =>
        !e.closest('.hidden') && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && e.clientWidth > 0)
        .map(e => e.outerHTML.slice(0, 120)));
    ok(cut.length === 0, `${name}: nothing is cut`, cut.join('\n'));
}

// Goes on by Tab until what has the focus fits; false: it never does. Each stop must be seen to have the focus.
async function tab_to(page, what, fits) {
    for (let i = 0; i < 200; i++) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
            const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
            return { text: (e.textContent || e.name || '').trim(), tag: e.tagName, name: e.name || '', outline: style.outlineStyle !== 'none',
                height: box.height, value: e.value || '' };
        });
        if (at.tag !== 'BODY' && !at.outline) { ok(false, `${what}: ${at.tag} ${at.text} shows that it has the focus`); return false; }
        if (fits(at)) { ok(at.tag === 'A' || at.height >= 44, `${what}: large enough for a thumb`, at.height); return true; }
    }
    ok(false, `${what} is reached by keyboard`);
    return false;
}

async function press(page, key) {
    await Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
}

async function visit(browser, width, scheme) {
    const name = `${width}-${scheme}`, context = await browser.createBrowserContext(), page = await context.newPage();
    const asked = new Set(), said = [];
    page.on('request', request => asked.add(request.resourceType()));
    page.on('console', message => said.push(message.text()));
    page.on('pageerror', error => said.push(String(error)));
    await page.setViewport({ width, height: 844, deviceScaleFactor: 1, isMobile: width < 600, hasTouch: width < 600 });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);

    await page.goto(url);
    await page.waitForSelector('#password:focus');
    await look(page, `${name}-login`);
    await page.keyboard.type('wrong');
    await press(page, 'Enter');
    ok((await page.content()).includes('That is not the password.'), `${name}: a wrong password is told`);
    await page.waitForSelector('#password:focus');
    await page.keyboard.type(password);
    await press(page, 'Enter');
    ok((await page.$('.events')) !== null, `${name}: the right one opens the page`);
    const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).reduce((sum, n) => sum + +n, 0) < 200);
    ok(dark === (scheme === 'dark'), `${name}: it is ${scheme}`);
    await look(page, `${name}-overview`);

    if (await tab_to(page, `${name}: Retry`, at => at.text === 'Retry') && await tab_to(page, `${name}: Drop`, at => at.tag === 'SUMMARY')) {
        await page.keyboard.press('Enter');
        await tab_to(page, `${name}: Yes, drop it`, at => at.text === 'Yes, drop it');
        await look(page, `${name}-drop`);
    }
    await page.goto(url);
    if (await tab_to(page, `${name}: the order number`, at => at.name === 'order')) {
        await page.keyboard.type('1004');
        await press(page, 'Enter');
        await look(page, `${name}-order`);
    }
    const [leave] = await page.$$('button[value=logout]');
    await Promise.all([page.waitForNavigation(), leave.click()]);
    ok((await page.$('#password')) !== null, `${name}: logged out`);
    ok([...asked].every(type => type === 'document' || type === 'other'), `${name}: nothing else is asked for`, [...asked]);
    ok(said.filter(text => !/status of 403|favicon/.test(text)).length === 0, `${name}: the browser has nothing to say`, said.join('\n'));
    await context.close();
}

// Once for all, for it changes the shop.
async function retry(browser) {
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForSelector('#password:focus');
    await page.keyboard.type(password);
    await press(page, 'Enter');
    if (await tab_to(page, 'Retry', at => at.text === 'Retry')) {
        await press(page, 'Enter');
        ok((await page.content()).includes('The order is due again'), 'a press on Retry is done');
    }
}

(async () => {
    const browser = await puppeteer.launch({ executablePath: chromium, headless: true,
        args: ['--disable-gpu', '--disable-dev-shm-usage', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])] });
    try {
        for (const width of [390, 1280])
            for (const scheme of ['light', 'dark'])
                await visit(browser, width, scheme);
        await retry(browser);
    } catch (error) {
        ok(false, 'the browser goes on', error.stack);
    } finally {
        await browser.close();
    }
    console.log(`1..${count}`);
    process.exit(failed ? 1 : 0);
})();
