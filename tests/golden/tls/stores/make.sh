#!/bin/sh
# Makes the stores of this directory anew: Java 17's keytool, OpenSSL 3. Their password is "changeit".
set -e
cd "$(dirname "$0")"
rm -f -- *.jks *.p12 *.pem
pass=changeit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
from="-validity 36500 -startdate 2020/01/01"
key="-keyalg EC -groupname secp256r1 $from"

keytool -genkeypair -alias ca $key -dname "CN=store authority,O=Acme" -ext bc:c \
    -keystore "$work/ca.p12" -storepass $pass
keytool -exportcert -rfc -alias ca -keystore "$work/ca.p12" -storepass $pass > ca.pem

# NAME FILE TYPE [OPTION]...: a key with its chain.
key_entry() {
    name=$1 file=$2 type=$3
    shift 3
    keytool -genkeypair -alias "$name" $key -dname "CN=$name,O=Acme" \
        -keystore "$file" -storetype "$type" -storepass $pass "$@" < /dev/null
    keytool -certreq -alias "$name" -keystore "$file" -storepass $pass "$@" |
        keytool -gencert -alias ca -keystore "$work/ca.p12" -storepass $pass $from \
            -ext san=dns:localhost,ip:127.0.0.1 -rfc > "$work/$name.crt"
    cat "$work/$name.crt" ca.pem |
        keytool -importcert -noprompt -alias "$name" -keystore "$file" -storepass $pass "$@"
}

key_entry server server.jks JKS
keytool -importkeystore -noprompt -srckeystore server.jks -srcstorepass $pass \
    -destkeystore server.p12 -deststoretype PKCS12 -deststorepass $pass
keytool -J-Dkeystore.pkcs12.legacy -importkeystore -noprompt -srckeystore server.jks -srcstorepass $pass \
    -destkeystore server_legacy.p12 -deststoretype PKCS12 -deststorepass $pass
openssl pkcs12 -in server.p12 -passin pass:$pass -nodes -out server.pem
openssl pkcs12 -export -in server.pem -passout pass:$pass -out server_openssl.p12
openssl pkcs12 -export -legacy -in server.pem -passout pass:$pass -out server_openssl_legacy.p12
openssl pkcs12 -export -in server.pem -passout pass: -out server_empty_password.p12
openssl pkcs12 -export -in server.pem -keypbe PBE-SHA1-RC2-128 -legacy -passout pass:$pass \
    -out server_rc2_128.p12

# As those who imported the authority first have it: a trusted certificate beside the key.
cp server.p12 server_and_ca.p12
keytool -importcert -noprompt -alias ca -file ca.pem -keystore server_and_ca.p12 -storepass $pass
key_entry other "$work/other.jks" JKS
for type in jks p12; do
    cp server.$type two_keys.$type
    keytool -importkeystore -noprompt -srckeystore "$work/other.jks" -srcstorepass $pass \
        -destkeystore two_keys.$type -deststorepass $pass
done
cp server.jks other_key_password.jks
keytool -keypasswd -alias server -keystore other_key_password.jks -storepass $pass -new different

keytool -importcert -noprompt -alias ca -file ca.pem -keystore trust.jks -storetype JKS -storepass $pass
keytool -importcert -noprompt -alias ca -file ca.pem -keystore trust.p12 -storetype PKCS12 -storepass $pass
keytool -J-Dkeystore.pkcs12.legacy -importcert -noprompt -alias ca -file ca.pem \
    -keystore trust_legacy.p12 -storetype PKCS12 -storepass $pass
keytool -importcert -noprompt -alias ca -file ca.pem -keystore trust_without_password.p12 -storetype PKCS12 \
    -storepass $pass -J-Dkeystore.pkcs12.macAlgorithm=NONE -J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE
openssl pkcs12 -export -nokeys -in ca.pem -passout pass:$pass -out trust_openssl.p12
# A password beyond ASCII.
LC_ALL=C.UTF-8 keytool -J-Dfile.encoding=UTF-8 -J-Dsun.jnu.encoding=UTF-8 -importcert -noprompt -alias ca \
    -file ca.pem -keystore trust_umlaut.jks -storetype JKS -storepass "$(printf 'p\303\244ssw\303\266rt')"

key_entry client "$work/client.p12" PKCS12
openssl pkcs12 -in "$work/client.p12" -passin pass:$pass -nodes -nocerts | openssl ec |
    openssl pkcs8 -topk8 -nocrypt -out client.pem
cat "$work/client.crt" >> client.pem

keytool -genkeypair -alias server -keyalg RSA -keysize 2048 $from -dname "CN=server,O=Acme" \
    -keystore server_rsa.jks -storetype JKS -storepass $pass < /dev/null
keytool -genkeypair -alias server -keyalg EC -groupname secp384r1 $from -dname "CN=server,O=Acme" \
    -keystore server_p384.p12 -storetype PKCS12 -storepass $pass
