-- For `make bench`: the same as baseline.php, in nginx itself, but without Redis (Debian packages no client for it).
local hmac = require("openssl.hmac")
ngx.req.read_body()
local body = ngx.req.get_body_data() or ""
local right = ngx.encode_base64(hmac.new("my_super_secret_woo_key", "sha256"):final(body))
ngx.header["Content-Type"] = "application/json"
if ngx.var.http_x_wc_webhook_signature ~= right then
    ngx.status = 401
    ngx.print('{"error":"Invalid Signature"}')
else
    ngx.print('{"status":"skipped","reason":"duplicate"}')
end
