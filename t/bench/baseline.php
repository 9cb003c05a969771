<?php
// For `make bench`: what a shop owner would write instead of a redelivery's way: HMAC, then one Redis call.
$body = file_get_contents('php://input');
$right = base64_encode(hash_hmac('sha256', $body, 'my_super_secret_woo_key', true));
header('Content-Type: application/json');
if (!hash_equals($right, $_SERVER['HTTP_X_WC_WEBHOOK_SIGNATURE'] ?? '')) {
    http_response_code(401);
    echo '{"error":"Invalid Signature"}';
    exit;
}
$redis = new Redis();
$redis->pconnect(getenv('BENCH_REDIS'));
$redis->get('bench:1');
echo '{"status":"skipped","reason":"duplicate"}';
